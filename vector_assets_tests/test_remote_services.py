"""The product with a model of a server: its space, its runs, and its search when the server is away."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
from pydantic import SecretStr
from sqlalchemy import URL

from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.domain.progress import BatchProgress
from vector_assets.embedding.remote import embedder
from vector_assets.embedding.remote.embedder import RemoteEmbedder
from vector_assets.errors import (
    EmbedderBroken,
    EmbedderDrifted,
    EmbedderRefused,
    EmbedderSwapped,
    InvalidSetting,
    ServerModelChanged,
    SpaceNotLive,
)
from vector_assets.quality.drift import REFERENCE_TEXTS
from vector_assets.services import Services
from vector_assets.settings import load_settings

from .embedding.remote.provider_server import Exchange, Provider, Respond, serving
from .fakes import DIMENSION, KEY, rows, store_chunks
from .faults.places import eventually
from .invariants import check_invariants

TEXTS = [f"text {number}" for number in range(5)]
Start = Callable[..., Services]


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A server of embeddings that answers rightly until the test wants otherwise."""
    with serving() as provider:
        yield provider


@pytest.fixture
def start(database_url: URL, tmp_path: Path, provider: Provider) -> Iterator[Start]:
    """Another process begins, configured for a model of the server."""
    opened: list[Services] = []

    def start(**settings: Any) -> Services:
        given = {
            "database_url": SecretStr(database_url.render_as_string(hide_password=False)),
            "home": tmp_path,
            "landing_dir": tmp_path,
            "embedding_provider": "openai",
            "embedding_api_base": provider.url,
            "embedding_model": "hash",
            "embedding_batch_size": 2,
        }
        opened.append(Services(load_settings(**given | settings)))
        return opened[-1]

    yield start

    for services in opened:
        services.close()


@contextmanager
def responding(provider: Provider, respond: Respond) -> Iterator[None]:
    """Let the server answer in another way for a while."""
    provider.respond = respond
    yield
    provider.respond = Exchange.succeed


def exchanged(exchange: Exchange) -> None:
    """Answer with the vectors of another model of the same dimension."""

    def turn(document: dict[str, Any]) -> None:
        for item in document["data"]:
            item["embedding"] = np.roll(np.ones(8) * [1, 2, 3, 4, 5, 6, 7, 8], len(item["embedding"])).tolist()

    exchange.succeed(turn)


def test_chunks_get_vectors_of_the_server_and_are_found(start: Start, provider: Provider) -> None:
    """Another process needs neither the model's name nor its words, which the space keeps; the key is not stored."""
    services = start(embedding_query_fields={"input_type": "query"}, embedding_api_key=SecretStr("sk-1"))
    store_chunks(services.database, TEXTS)
    report = services.vectorizer().vectorize_partition(KEY)

    later = start(embedding_provider=None, embedding_model=None)
    hits = later.search.find("text 3", limit=1)

    assert (report.vectorized_count, report.failed_count) == (5, 0)
    check_invariants(services.database, services.embedder)
    assert (hits[0].text, later.space) == ("text 3", services.space)
    assert [body.get("input_type") for body in provider.asked if body["input"] == ["text 3"]] == ["query"]
    assert rows(services.database, "SELECT count(*) FROM embedding_spaces s WHERE s::text LIKE '%sk-1%'") == [(0,)]


def test_a_question_is_answered_by_its_terms_while_the_server_is_away(
    start: Start, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """The hits say so by having no score, and a warning says why."""
    services = start()
    store_chunks(services.database, ["dividend policy", "net sales", "net loss"])
    services.vectorizer().vectorize_partition(KEY)
    services.term_filler.fill(KEY)

    with responding(provider, lambda exchange: exchange.send_error_document(503)):
        hits = services.search.find("net sales")

    assert [(hit.text, hit.score, hit.lexical_rank) for hit in hits] == [
        ("net sales", None, 1),
        ("net loss", None, 2),
    ]
    assert "503" in caplog.text


def test_a_question_does_not_wait_for_a_server_that_is_slow(
    start: Start, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After five seconds its terms answer it; the test has less patience."""
    services, answered = start(), threading.Event()
    store_chunks(services.database, ["net sales", "net loss"])
    services.vectorizer().vectorize_partition(KEY)
    services.term_filler.fill(KEY)
    assert embedder.QUERY_SECONDS == 5.0
    monkeypatch.setattr(embedder, "QUERY_SECONDS", 0.2)

    def stall(exchange: Exchange) -> None:
        answered.wait(60)
        exchange.succeed()

    with responding(provider, stall):
        hits = services.search.find("net sales")
        answered.set()

    assert [(hit.text, hit.score) for hit in hits] == [("net sales", None), ("net loss", None)]


@pytest.mark.parametrize("other", [{"embedding_dimensions": 8}, {"embedding_document_prompt": "passage: "}])
def test_whatever_changes_vectors_is_another_space(start: Start, other: dict[str, Any]) -> None:
    """A process that asks in other words does not work in the space."""
    services = start()
    store_chunks(services.database, TEXTS)
    services.vectorizer().vectorize_partition(KEY)

    with pytest.raises(SpaceNotLive):
        start(**other).vectorizer()


def test_a_server_that_runs_another_model_is_stopped_before_anything_is_stored(
    start: Start, provider: Provider
) -> None:
    """By its vectors of the reference texts; `spaces add` then gives the model a new space."""
    services = start()
    store_chunks(services.database, TEXTS)
    services.vectorizer().vectorize_partition(KEY)

    with responding(provider, exchanged):
        again = start()
        with pytest.raises(EmbedderDrifted):
            again.vectorizer().vectorize_partition(KEY, force_revectorize=True)
        renewed = start()
        renewed.renew_space()

    assert renewed.space.generation == services.space.generation + 1
    check_invariants(services.database, services.embedder)


def test_a_server_that_says_that_its_weights_are_others_is_stopped(start: Start, provider: Provider) -> None:
    """Even before the reference texts are embedded."""
    provider.documents["/info"] = {"model_id": "m", "model_sha": "1"}
    services = start()
    store_chunks(services.database, TEXTS)
    services.vectorizer().vectorize_partition(KEY)
    provider.documents["/info"] = {"model_id": "m", "model_sha": "2"}

    with pytest.raises(ServerModelChanged, match="m 2"):
        start().vectorizer().vectorize_partition(KEY, force_revectorize=True)


def test_a_model_exchanged_during_a_run_is_noticed_at_its_end(start: Start, provider: Provider) -> None:
    """What the run stored is pending again."""
    services = start()
    store_chunks(services.database, TEXTS)
    answered: list[str] = []

    def exchange_later(exchange: Exchange) -> None:
        answered.extend(exchange.body["input"])
        exchanged(exchange) if len(answered) > len(REFERENCE_TEXTS) + 2 else exchange.succeed()

    _ = services.space
    with responding(provider, exchange_later), pytest.raises(EmbedderSwapped, match="pending again"):
        services.vectorizer(1).vectorize_partition(KEY)

    assert services.coverage.partition_status(KEY, services.space.slug).pending == len(TEXTS)
    check_invariants(services.database, services.embedder)


@pytest.mark.parametrize("refused", [REFERENCE_TEXTS, TEXTS], ids=["at the beginning", "in the middle"])
def test_a_server_that_refuses_everything_ends_the_run_at_once(
    start: Start, provider: Provider, refused: tuple[str, ...]
) -> None:
    """No text is sent twice, and no chunk counts as failed."""
    services = start()
    store_chunks(services.database, TEXTS)
    _ = services.space

    def respond(exchange: Exchange) -> None:
        bad = set(exchange.body["input"]) & set(refused)
        exchange.send_error_document(401) if bad else exchange.succeed()

    with responding(provider, respond), pytest.raises(EmbedderRefused, match="EMBEDDING_API_KEY"):
        services.vectorizer().vectorize_partition(KEY)

    assert len(provider.texts) == len(set(provider.texts))
    status = services.coverage.status(None)
    assert sum(item.quarantined for item in status) == 0


def test_a_text_that_the_server_refuses_fails_alone(start: Start, provider: Provider) -> None:
    """Its batch is halved, and the others get their vectors."""
    services = start()
    store_chunks(services.database, [*TEXTS, "POISON"])

    def respond(exchange: Exchange) -> None:
        bad = "POISON" in exchange.body["input"]
        exchange.send_error_document(400, "bad text") if bad else exchange.succeed()

    with responding(provider, respond):
        report = services.vectorizer(4).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (5, 1)
    assert "bad text" in report.failures[0].message


def test_a_server_without_sense_is_broken(start: Start, provider: Provider) -> None:
    """It refuses any text, so that no chunk is at fault."""
    services = start()
    store_chunks(services.database, TEXTS)
    _ = services.space

    with responding(provider, lambda exchange: exchange.send_error_document(400)), pytest.raises(EmbedderBroken):
        services.vectorizer().vectorize_partition(KEY)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"embedding_model": None}, "EMBEDDING_MODEL: is not set"),
        ({"embedding_provider": "tei", "embedding_api_base": None}, "EMBEDDING_API_BASE: is not set"),
        (
            {"embedding_provider": "voyage", "embedding_document_prompt": "passage: "},
            "EMBEDDING_DOCUMENT_PROMPT: is set beside the field input_type",
        ),
    ],
)
def test_settings_that_name_no_server_or_two_prefixes_are_refused(
    start: Start, settings: dict[str, Any], words: str
) -> None:
    """In one line with the variable, before anything is sent."""
    with pytest.raises(InvalidSetting, match=words):
        _ = start(**settings).embedder


def test_a_key_is_sent_to_its_own_provider_only(start: Start, provider: Provider) -> None:
    """While a space of another provider is filled, the serving one is searched without that provider's key."""
    services = start(embedding_api_key=SecretStr("sk-1"))
    store_chunks(services.database, TEXTS)
    services.vectorizer().vectorize_partition(KEY)

    other = start(embedding_provider="voyage", embedding_model="voyage-4", embedding_api_key=SecretStr("sk-2"))
    embedder = other.in_space(services.space).embedder

    assert isinstance(embedder, RemoteEmbedder)
    assert (embedder.model.key, embedder.model.api_base) == ("", "https://api.openai.com/v1")


def test_a_text_that_the_space_has_embedded_is_not_sent_again(start: Start, provider: Provider) -> None:
    """Its vector is copied; by force it is made again."""
    services = start()
    store_chunks(services.database, TEXTS)
    services.vectorizer().vectorize_partition(KEY)
    store_chunks(services.database, [TEXTS[0], "new"], name="b.txt")
    before = len(provider.texts)
    reports: list[BatchProgress] = []

    report = services.vectorizer().vectorize_partition(KEY, progress_callback=reports.append)
    sent = [text for text in provider.texts[before:] if text not in REFERENCE_TEXTS]
    services.vectorizer().vectorize_partition(KEY, force_revectorize=True)

    assert sent == ["new"]
    assert (report.vectorized_count, report.reused_count, reports[-1].reused_count) == (2, 1, 1)
    assert provider.texts.count(TEXTS[0]) == 3  # both chunks have it
    check_invariants(services.database, services.embedder)


@pytest.mark.usefixtures("dagster_database")
def test_a_run_says_first_what_it_will_take(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log begins with the model, chunks, tokens, time, money and disk, though no run was made before."""
    for variable in ("DAGSTER_HOME", "VECTOR_ASSETS_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(variable, "")  # so that what the run sets is undone
        monkeypatch.delenv(variable)
    services = start(embedding_price_per_million=1000.0)
    store_chunks(services.database, TEXTS)

    with recorded_runs(services, SilentListener()) as runs:
        runs.prepare([KEY])
        result = runs.run(KEY, [VECTORIZED_CHUNKS])
        logged = dg.DagsterInstance.get().all_logs(result.run_id)
    messages = [entry.user_message for entry in logged if not entry.is_dagster_event]

    assert result.error is None
    words = r"1 partition, 5 chunks, about \d+ tokens, about .+ by a trial of a few chunks, about .+ USD, .+ on disk"
    assert messages[0] == "embedding with hash"
    assert re.fullmatch(words, messages[1])
    # What the trial used is counted, and its answers are used. The reference texts are embedded twice.
    assert services.spending.grouped()[0].tokens == 5 * (2 * len(REFERENCE_TEXTS) + len(TEXTS))


KILLED = """
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.services import Services
from vector_assets.settings import load_settings

with Services(load_settings()) as services:
    services.vectorizer(1).vectorize_partition(PartitionKey.parse("{key}"))
"""


def test_what_a_killed_run_was_answered_is_not_paid_for_again(
    start: Start, provider: Provider, database_url: URL, tmp_path: Path
) -> None:
    """`kill -9` between answers and their commits: the next run sends what was not answered, each text once."""
    services = start()
    texts = [f"text {number}" for number in range(60)]
    store_chunks(services.database, texts)
    _ = services.space
    answered: list[str] = []
    released = threading.Event()

    def respond(exchange: Exchange) -> None:
        if set(exchange.body["input"]) <= set(REFERENCE_TEXTS):
            return exchange.succeed()
        with provider.lock:
            is_answered = len(answered) < 20
            answered.extend(exchange.body["input"] if is_answered else [])
        if not is_answered:
            released.wait(60)
        return exchange.succeed()

    def kept() -> int:
        files = (tmp_path / "answers").glob("*")
        return sum(file.stat().st_size for file in files) // (32 + 4 * DIMENSION + 4)

    environment = {
        "VECTOR_ASSETS_DATABASE_URL": database_url.render_as_string(hide_password=False),
        "VECTOR_ASSETS_HOME": str(tmp_path),
        "EMBEDDING_PROVIDER": "openai",
        "EMBEDDING_API_BASE": provider.url,
        "EMBEDDING_MODEL": "hash",
    }
    sessions = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    services.spaces.register_first(services.space)
    with services.database.transaction() as connection, responding(provider, respond):
        connection.execute(f"LOCK chunk_vectors_{services.space.slug} IN EXCLUSIVE MODE")  # nothing is committed
        command = [sys.executable, "-c", KILLED.format(key=KEY)]
        with subprocess.Popen(command, env=os.environ | environment) as child:
            eventually(lambda: kept() == 20)
            child.kill()
        released.set()
    ours = {pid for (pid,) in rows(services.database, "SELECT pg_backend_pid()")}
    eventually(lambda: len(rows(services.database, sessions)) <= 2 + len(ours))
    before = len(provider.texts)
    report = services.vectorizer().vectorize_partition(KEY)
    sent = [text for text in provider.texts[before:] if text not in REFERENCE_TEXTS]

    assert sorted(sent) == sorted(set(texts) - set(answered))
    assert (report.vectorized_count, report.reused_count) == (60, 20)
    assert list((tmp_path / "answers").iterdir()) == []
    check_invariants(services.database, services.embedder)
