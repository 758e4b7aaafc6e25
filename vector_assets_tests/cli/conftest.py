"""The command line in this process, over a database of the test's own and an embedder that takes no time."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import URL

from vector_assets.cli import main, terminal
from vector_assets.embedding.bundled.unpacking import MULTILINGUAL_MODEL
from vector_assets.embedding.prompts import Prompts, PromptSource
from vector_assets.errors import ModelNotFound
from vector_assets.services import Services

from ..defs.conftest import CN, US, land, sentences
from ..fakes import SPACE, HashEmbedder, UnrecordedAuditFacts

Command = Callable[..., Result]


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> HashEmbedder:
    """In place of the model, for every command of the test."""
    embedder = HashEmbedder()
    monkeypatch.setattr(Services, "embedder", embedder)
    monkeypatch.setattr(Services, "audit_facts", property(lambda parts: UnrecordedAuditFacts(parts.database, embedder)))
    return embedder


SERVING = replace(SPACE, model=MULTILINGUAL_MODEL, source=MULTILINGUAL_MODEL)
OTHER = replace(SPACE, model="org/other", source="org/other")
THIRD = replace(SPACE, model="org/third", source="org/third")

# How a process finds its model, in place of which the fixture `embedder` puts one.
REAL_EMBEDDER = vars(Services)["embedder"]


@pytest.fixture
def models(embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch) -> dict[str, HashEmbedder]:
    """Several models by the names that find them; EMBEDDING_MODEL and the serving space choose one of them."""
    found = {space.source: HashEmbedder(space) for space in (SERVING, OTHER, THIRD)}

    def embedder_of(_: Services, model: str, *prompts: str | None) -> HashEmbedder:
        if model not in found:
            raise ModelNotFound(model, "the hub does not have it")
        if any(prompts):
            document_prompt, query_prompt = (prompt or "" for prompt in prompts)
            return HashEmbedder(replace(found[model].space, document_prompt=document_prompt, query_prompt=query_prompt))
        return found[model]

    monkeypatch.setattr(Services, "embedder", REAL_EMBEDDER)
    monkeypatch.setattr(Services, "_embedder", embedder_of)
    monkeypatch.setattr(Services, "prompts", Prompts("", "", PromptSource.NONE, None))
    monkeypatch.setattr(
        Services, "audit_facts", property(lambda parts: UnrecordedAuditFacts(parts.database, parts.embedder))
    )
    return found


@pytest.fixture
def command(
    database_url: URL,
    dagster_database: None,
    tmp_path: Path,
    landing: Path,
    embedder: HashEmbedder,
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """`command("status", "--json")`; variables are set for this command only: `EMBEDDING_MODEL="org/other"`.

    `stdin` is what it reads there.
    """
    for variable in ("DAGSTER_HOME", "VECTOR_ASSETS_DAGSTER_DATABASE_URL", "EMBEDDING_MODEL"):
        monkeypatch.setenv(variable, "")  # so that what a command sets is undone
        monkeypatch.delenv(variable)
    monkeypatch.setenv("VECTOR_ASSETS_DATABASE_URL", database_url.render_as_string(hide_password=False))
    monkeypatch.setenv("VECTOR_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VECTOR_ASSETS_LANDING_DIR", str(landing))
    monkeypatch.setattr(terminal, "NOTICE_SECONDS", 3600.0)  # whether they appear is the machine's speed
    return lambda *arguments, stdin=None, **variables: CliRunner(env=variables).invoke(main, list(arguments), stdin)


def statuses(command: Command) -> dict[str, dict[str, Any]]:
    """What `status --json` has for each partition."""
    return {item["partition"]: item for item in json.loads(command("status", "--json").stdout)["partitions"]}


def counts(command: Command, name: str) -> dict[str, int]:
    """One of the counts of `status --json` for each partition, e.g. `pending`."""
    return {partition: item[name] for partition, item in statuses(command).items()}


@pytest.fixture
def filings(landing: Path) -> Path:
    """Two partitions: three chunks in English, one in Chinese."""
    land(landing, US, "2024.txt", sentences(3))
    land(landing, CN, "2024-01.txt", "董事会审议通过了年度报告。")
    return landing
