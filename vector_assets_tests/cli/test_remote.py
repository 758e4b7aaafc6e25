"""The commands with a model of a server: what it will cost, how far a budget goes, and what doctor says of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vector_assets.services import Services

from ..embedding.remote.provider_server import Provider, serving
from .conftest import REAL_EMBEDDER, Command, counts

KEY = "sk-secret"


@pytest.fixture
def provider(command: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A server that every command of the test is configured for; it counts five tokens a text."""
    monkeypatch.setattr(Services, "embedder", REAL_EMBEDDER)
    with serving() as provider:
        for name, value in {
            "PROVIDER": "openai",
            "API_BASE": provider.url,
            "API_KEY": KEY,
            "MODEL": "hash",
            "PRICE_PER_MILLION": "1000",
        }.items():
            monkeypatch.setenv(f"EMBEDDING_{name}", value)
        yield provider


@pytest.mark.usefixtures("provider")
def test_from_files_to_answers_by_a_server(command: Command, filings: Path) -> None:
    """Plans say what it costs, a budget is kept, and the key is shown nowhere."""
    said = [command("ingest", str(filings))]
    said.append(plan := command("backfill", "--dry-run"))
    said.append(limited := command("backfill", "us/", "--max-tokens", "25"))
    pending = counts(command, "pending")
    said.append(doctor := command("doctor"))

    assert "4 chunks, about" in plan.output
    assert "by a trial of a few chunks" in plan.output  # before any run was made
    assert "USD" in plan.output
    assert "the limit of 25 tokens" in limited.output  # the reference texts have 20
    assert (limited.exit_code, sum(pending.values())) == (1, 4)
    assert "1000 USD a million tokens" in doctor.output
    assert all(KEY not in result.output for result in said)
