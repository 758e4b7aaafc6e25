"""The checks through Dagster: each passes on what is clean, and fails for its own fault only."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import numpy as np
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from sqlalchemy import URL

from vector_assets.cli.demo import SAMPLES
from vector_assets.defs.asset_keys import DOCUMENT_CHUNKS, VECTORIZED_CHUNKS
from vector_assets.defs.partitions import PARTITIONS, register
from vector_assets.defs.resources import SilentListener, run_resources
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.domain.chunks import ChunkSelection, ChunkWindow, TokenizedText
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.spaces import Vectors
from vector_assets.errors import DatabaseUnreachable, PartitionBusy
from vector_assets.quality.chunk_checks import CHUNK_CHECKS
from vector_assets.quality.drift import DriftResult
from vector_assets.quality.limits import QualityLimits
from vector_assets.quality.vector_checks import VECTOR_CHECKS
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.binary_arrays import HalfVectors
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database
from vector_assets.storage.partition_locks import PartitionLocks

from ..fakes import SPACE, FakeServices, HashEmbedder, make_live, rows, store_chunks, vector_of
from .conftest import CHAIN, US, land, sentences
from .test_assets import Watching, failure, materialize
from .test_partition_ranges import KEYS, A, B, D, fail_on, materialized, red, run, shrink_the_second

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
TABLE = f"chunk_vectors_{SPACE.slug}"
TEXTS = [f"chunk {number} of an invented filing" for number in range(6)]
Way = Callable[..., dict[str, dg.AssetCheckEvaluation]]


def check_results(
    instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult, key: str, asset: dg.AssetKey = VECTORIZED_CHUNKS
) -> dict[str, dg.AssetCheckEvaluation]:
    """By the checks' names; one each."""
    entries = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    events = [entry.asset_check_evaluation for entry in entries]
    found = [event for event in events if (event.partition, event.asset_key) == (key, asset)]
    assert len(found) == len({event.check_name for event in found})
    return {event.check_name: event for event in found}


def failed(found: Mapping[str, dg.AssetCheckEvaluation]) -> dict[str, dg.AssetCheckSeverity]:
    """Those that did not pass, and how bad that is."""
    return {name: item.severity for name, item in found.items() if not item.passed}


def shown(item: dg.AssetCheckEvaluation) -> dict[str, Any]:
    """Its figures."""
    return {name: value.value for name, value in item.metadata.items()}


# For tests of what a check judges: that both ways have all check results is known by the others.
one_way = pytest.mark.parametrize("way", ["a partition"], indirect=True)


@pytest.fixture(params=["a partition", "a range"])
def way(request: pytest.FixtureRequest, instance: dg.DagsterInstance, services: FakeServices) -> Way:
    """Run one asset over the partition A, alone or with its three neighbours; give A's check results."""
    register(instance, KEYS)

    def ran(asset: dg.AssetKey = VECTORIZED_CHUNKS, **config: Any) -> dict[str, dg.AssetCheckEvaluation]:
        assets = [item for item in CHAIN if item.key == asset]
        ops = {"silver__vectorized_chunks": {"config": config}} if asset == VECTORIZED_CHUNKS else {}
        if request.param == "a range":
            result = (
                run(instance, services, assets=assets, config=config) if ops else _range_of(instance, services, assets)
            )
        else:
            result = dg.materialize(
                assets,
                partition_key=A,
                instance=instance,
                resources=run_resources(services, Watching([])),
                run_config={"ops": ops},
            )
        assert result.success
        assert A in instance.get_materialized_partitions(asset)
        assert A not in red(instance, asset)
        return check_results(instance, result, A, asset)

    return ran


def _range_of(
    instance: dg.DagsterInstance, services: FakeServices, assets: Sequence[dg.AssetsDefinition]
) -> dg.ExecuteInProcessResult:
    from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

    return dg.materialize(
        assets,
        instance=instance,
        resources=run_resources(services, Watching([])),
        tags={ASSET_PARTITION_RANGE_START_TAG: A, ASSET_PARTITION_RANGE_END_TAG: D},
    )


def write(database: Database, texts: Sequence[str], key: PartitionKey = KEYS[0], name: str = "a.txt") -> None:
    """Rows of another program, which chunks its documents itself."""
    uri = f"elsewhere/{key}/{name}"
    (document,) = rows(
        database,
        "INSERT INTO documents (market, doc_type, stock_code, source_uri, text, content_hash) "
        "VALUES (%s, %s, %s, %s, '', '') RETURNING id",
        key.market, key.doc_type, key.stock_code, uri,
    )  # fmt: skip
    for index, text in enumerate(texts):
        rows(
            database,
            "INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash) "
            "VALUES (%s, '', '', '', %s, %s, '')",
            document[0], index, text,
        )  # fmt: skip


def use(services: FakeServices, embedder: HashEmbedder) -> None:
    """In place of the good one, from the next run on."""
    services.embedder = embedder
    for made_with_it in ("audit_facts", "drift"):
        services.__dict__.pop(made_with_it, None)


class NotANumber(HashEmbedder):
    """Of texts that say so, the vector is none."""

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        vectors = super().embed(texts)
        vectors[["NAN" in item.text for item in texts]] = np.nan
        return vectors


class Backwards(HashEmbedder):
    """Gives the vectors of a batch in the wrong order."""

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        return super().embed(texts)[::-1]


class English(HashEmbedder):
    """Knows no word outside ASCII."""

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        def unknown(text: str) -> int:
            return sum(not word.isascii() for word in text.split())

        return [
            TokenizedText(item.text, item.token_count, item.tokens_embedded, unknown(item.text))
            for item in super().tokenize(texts)
        ]


def overwrite(database: Database, at: str, text: str) -> None:
    """Another program gives a chunk the vector of another text."""
    with database.transaction() as connection:
        connection.execute(
            f"UPDATE {TABLE} v SET embedding = (%(new)b::halfvec[])[1] FROM document_chunks c "
            "WHERE c.id = v.chunk_id AND c.text = %(at)s",
            {"new": HalfVectors(vector_of(text)[None, :]), "at": at},
        )


def test_all_checks_pass_on_clean_vectors(services: FakeServices, way: Way) -> None:
    """With figures; a second run, which embeds nothing, has them as well."""
    store_chunks(services.database, TEXTS, KEYS[0])

    found = way()

    assert set(found) == {check.name for check in VECTOR_CHECKS}
    assert failed(found) == {}
    assert shown(found["complete"])["current"] == 6
    assert shown(found["self_retrieval"])["of_this_run"] == 1
    again = way()
    assert failed(again) == {}
    assert shown(again["self_retrieval"])["tried"] == 1
    assert "run/unknown_share" not in shown(again["vocabulary_covers_text"])


def test_a_partition_without_chunks_passes_with_honest_words(services: FakeServices, way: Way) -> None:
    """No chunk is current, and the results say so."""
    found = way()

    assert failed(found) == {}
    assert "No chunk is current" in found["self_retrieval"].description
    assert "No chunk is current" in found["vocabulary_covers_text"].description


def test_what_a_limit_left_is_a_warning(services: FakeServices, way: Way) -> None:
    """The run did all it should; the partition is not complete all the same."""
    store_chunks(services.database, TEXTS, KEYS[0])

    found = way(limit=2)

    assert failed(found) == {"complete": WARN}
    assert found["complete"].description == (
        "2 of 6 chunks are current. 4 chunks are still pending because the run was limited to 2 chunks."
    )
    assert failed(way()) == {}


@one_way
def test_what_came_meanwhile_is_a_warning(services: FakeServices, way: Way) -> None:
    """Nobody can be blamed, and the next run takes it."""
    store_chunks(services.database, TEXTS, KEYS[0])
    services.embedder.before = lambda _: (
        setattr(services.embedder, "before", lambda _: None),
        store_chunks(services.database, ["late"], KEYS[0], "b.txt"),
        rows(services.database, "UPDATE document_chunks SET text = 'edited' WHERE text = %s", TEXTS[0]),
    )

    found = way()

    assert failed(found) == {"complete": WARN}
    assert (
        "2 chunks are still pending because they were added or changed during the run." in found["complete"].description
    )


def test_what_the_run_forgot_is_an_error(services: FakeServices, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was there before, and nothing kept the run from it."""
    make_live(services.database)
    store_chunks(services.database, TEXTS, KEYS[0])
    read_window = PostgresChunkStore.read_window

    def shortened(store: PostgresChunkStore, selection: ChunkSelection, after_id: UUID, limit: int) -> ChunkWindow:
        return ChunkWindow(read_window(store, selection, after_id, limit).chunks[:-1], None)

    monkeypatch.setattr(PostgresChunkStore, "read_window", shortened)

    found = way()

    assert failed(found) == {"complete": ERROR}
    assert "1 chunk was pending when the run began and still is." in found["complete"].description


@one_way
def test_a_chunk_that_is_neither_pending_nor_has_a_vector_is_an_error(services: FakeServices, way: Way) -> None:
    """No run would embed that chunk again."""
    store_chunks(services.database, TEXTS, KEYS[0])
    way()
    rows(services.database, f"ALTER TABLE {TABLE} DISABLE TRIGGER deleted")
    rows(services.database, f"DELETE FROM {TABLE} WHERE chunk_id = (SELECT chunk_id FROM {TABLE} ORDER BY 1 LIMIT 1)")

    assert failed(way()) == {"complete": ERROR}


@one_way
@pytest.mark.parametrize(
    ("bad", "fraction", "broken"), [(3, 0.05, True), (3, 0.6, False), (1, 0.05, False), (1, 0, True)]
)
def test_too_many_failed_are_an_error_whichever_run_they_are_of(
    bad: int, fraction: float, broken: bool, services: FakeServices, way: Way
) -> None:
    """The next run finds nothing pending and turns the partition green: it is not complete for that."""
    store_chunks(services.database, [*TEXTS[:3], *(f"POISON {number}" for number in range(bad))], KEYS[0])
    way(max_failed_fraction=1)

    found = way(max_failed_fraction=fraction)

    assert failed(found) == {"complete": ERROR if broken else WARN}
    figures = shown(found["complete"])
    assert (figures["failed_once"], len(figures["failed_chunks"].records)) == (bad, bad)


def test_a_vector_that_is_not_a_number_is_refused_and_reported(services: FakeServices, way: Way) -> None:
    """The partition is green, for one chunk may fail; the check is not."""
    use(services, NotANumber())
    store_chunks(services.database, [*TEXTS, "NAN"], KEYS[0])

    found = way()

    assert failed(found) == {"vectors_valid": ERROR, "complete": WARN}
    assert "1 not finite" in found["vectors_valid"].description
    assert failed(way()) == {"complete": WARN}  # which refused none; the chunk is pending, and listed


@one_way
def test_stored_vectors_are_looked_at_too(services: FakeServices, way: Way) -> None:
    """Another program wrote one of another length, and one that is another text's."""
    store_chunks(services.database, TEXTS, KEYS[0])
    way()
    with services.database.transaction() as connection:
        connection.execute(
            f"UPDATE {TABLE} SET embedding = (%(new)b::halfvec[])[1] "
            f"WHERE chunk_id = (SELECT chunk_id FROM {TABLE} ORDER BY 1 LIMIT 1)",
            {"new": HalfVectors(1.1 * vector_of(TEXTS[0])[None, :])},
        )
    for text in TEXTS[2:]:
        overwrite(services.database, text, TEXTS[1])

    found = way()

    assert failed(found)["vectors_valid"] == ERROR
    figures = shown(found["vectors_valid"])
    assert (figures["wrong_norm"], figures["collapsed"]) == (1, 5)


@one_way
def test_texts_that_look_alike_to_the_model_rightly_share_a_vector(services: FakeServices, way: Way) -> None:
    """Beyond the model's limit they differ."""

    class Bounded(HashEmbedder):
        def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
            return [
                TokenizedText(item.text, item.token_count, item.tokens_embedded, 0, np.array([7, 8], np.int32))
                for item in super().tokenize(texts)
            ]

        def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
            return np.stack([vector_of("the same") for _ in texts])

    use(services, Bounded())
    make_live(services.database)
    services.__dict__["drift"] = type("Watched", (), {"check": lambda _: None, "result": DriftResult(1.0, "", 0.999)})()
    store_chunks(services.database, TEXTS, KEYS[0])

    assert failed(way()) == {}


def test_rows_in_the_wrong_order_do_not_find_themselves(services: FakeServices, way: Way) -> None:
    """Nothing else shows it: each of the vectors is good."""
    use(services, Backwards())
    store_chunks(services.database, TEXTS, KEYS[0])

    found = way()

    assert failed(found) == {"self_retrieval": ERROR}
    (lost,) = shown(found["self_retrieval"])["lost"].records
    assert lost.data["chunk"] != lost.data["nearest"]
    assert lost.data["cosine"] < 0.99 < lost.data["cosine_to_nearest"]


@one_way
def test_a_truncated_chunk_is_a_warning_until_it_is_made_smaller(services: FakeServices, way: Way) -> None:
    """Also in later runs, which embed others."""
    store_chunks(services.database, [*TEXTS, " ".join(["word"] * 70)], KEYS[0])

    found = way()

    assert failed(found) == {"nothing_truncated": WARN}
    figures = shown(found["nothing_truncated"])
    assert (figures["partition/truncated_chunks"], figures["run/truncated_chunks"]) == (1, 1)
    assert figures["partition/tokens_lost"] == figures["most_truncated"].records[0].data["tokens_lost"] == 6
    assert "VECTOR_ASSETS_CHUNK_TOKENS" in found["nothing_truncated"].description
    again = way()
    assert failed(again) == {"nothing_truncated": WARN}
    assert shown(again["nothing_truncated"])["run/truncated_chunks"] == 0


@one_way
def test_a_language_that_the_model_cannot_read_is_a_warning(services: FakeServices, way: Way) -> None:
    """It says which model to choose; a run that embeds nothing does not take it back."""
    use(services, English())
    store_chunks(services.database, [f"董事会 审议 通过 了 年度 报告 第 {number} 号" for number in range(6)], KEYS[0])

    found = way()

    assert failed(found) == {"vocabulary_covers_text": WARN}
    assert "multilingual model or one for Chinese" in found["vocabulary_covers_text"].description
    again = way()
    assert failed(again) == {"vocabulary_covers_text": WARN}
    assert shown(again["vocabulary_covers_text"])["script"] == "han"


@one_way
@pytest.mark.parametrize(
    ("texts", "check", "setting", "limit"),
    [
        ([*TEXTS, " ".join(["word"] * 70)], "nothing_truncated", "max_lost_share", 0.2),
        (["董事会 审议 通过 了 年度 报告"], "vocabulary_covers_text", "max_unknown_share", 1.0),
        ([*TEXTS, "18", "$", "July 1,"], "chunk_sizes_in_range", "max_fragments_share", 0.4),
        ([*TEXTS, "the company\u2019s".encode().decode("cp1252")], "text_is_readable", "max_unreadable_share", 0.5),
    ],
)
def test_thresholds_are_settings(
    texts: list[str], check: str, setting: str, limit: float, services: FakeServices, way: Way
) -> None:
    """A team whose texts are like that gets no warning; the figure is shown all the same, with the limit."""
    use(services, English())
    store_chunks(services.database, texts, KEYS[0])
    write(services.database, texts, name="others.txt")
    asset = VECTORIZED_CHUNKS if check in {item.name for item in VECTOR_CHECKS} else DOCUMENT_CHUNKS
    before = way(asset)[check]

    services.settings = services.settings.model_copy(update={"quality_limits": QualityLimits(**{setting: limit})})
    after = way(asset)[check]

    assert (before.passed, after.passed) == (False, True)
    assert f"{limit:g}" in shown(after).values()


@one_way
def test_how_near_a_chunk_must_find_itself_is_a_setting(services: FakeServices, way: Way) -> None:
    """Rows that are no nearer than that are lost, and nothing else is said of them."""
    store_chunks(services.database, TEXTS, KEYS[0])
    services.settings = services.settings.model_copy(update={"quality_limits": QualityLimits(min_retrieval_cosine=1.0)})
    aside = np.eye(1, SPACE.dimension, dtype=np.float32)[0] * 0.01
    before = services.embedder.embed
    services.embedder.embed = lambda texts: before(texts) + aside if len(texts) == 1 else before(texts)

    found = way()

    assert failed(found) == {"self_retrieval": ERROR}
    assert shown(found["self_retrieval"])["min_cosine"] == "1"


def test_facts_that_cannot_be_gathered_are_a_warning_of_each_check(
    services: FakeServices, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database went away after the last commit."""
    store_chunks(services.database, TEXTS, KEYS[0])

    def away(*_: object) -> None:
        raise DatabaseUnreachable("postgresql://db", "it is away")

    monkeypatch.setattr(services.audit_facts, "of_vectors", away)

    found = way()

    assert failed(found) == {check.name: WARN for check in VECTOR_CHECKS}
    assert "could not run" in found["complete"].description
    assert "it is away" in found["complete"].description


def test_the_partition_is_locked_while_it_is_audited(
    services: FakeServices, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run would change what is being counted."""
    store_chunks(services.database, TEXTS, KEYS[0])
    nearest, busy = services.audit_facts.nearest, []

    def look(key: PartitionKey, slug: str, *given: Any) -> Any:
        try:
            with PartitionLocks(services.database, wait_seconds=0).held(key, slug, "another run"):
                busy.append(False)
        except PartitionBusy:
            busy.append(True)
        return nearest(key, slug, *given)

    monkeypatch.setattr(services.audit_facts, "nearest", look)

    assert failed(way()) == {}
    assert set(busy) == {True}


def test_one_check_that_fails_leaves_the_others(
    services: FakeServices, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its own result is missing."""
    store_chunks(services.database, TEXTS, KEYS[0])
    monkeypatch.setattr(services.audit_facts, "nearest", lambda *_: 1 / 0)

    found = way()

    assert failed(found) == {"self_retrieval": WARN}
    assert "ZeroDivisionError" in found["self_retrieval"].description


def test_a_red_partition_has_its_check_results(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """The run failed because too many chunks did; the page says which checks that breaks."""
    register(instance, KEYS)
    use(services, NotANumber())
    for key in KEYS:
        store_chunks(services.database, [*TEXTS, *(["NAN 1", "NAN 2"] if key == KEYS[1] else [])], key)

    result = run(instance, services)

    assert not result.success
    assert red(instance) == {B}
    assert failed(check_results(instance, result, B)) == {"complete": ERROR, "vectors_valid": ERROR}
    assert failed(check_results(instance, result, A)) == {}


def states(instance: dg.DagsterInstance, name: str, asset: dg.AssetKey = VECTORIZED_CHUNKS) -> dict[str, set[str]]:
    """What the Checks page shows of each partition."""
    key = dg.AssetCheckKey(asset, name)
    with partition_loading_context(dynamic_partitions_store=instance):
        (state,) = instance.event_log_storage.get_asset_check_state([(key, PARTITIONS)]).values()
        subsets = {status.name: subset.subset_value for status, subset in state.subsets.items() if subset.size}
        return {name: set(subset.get_partition_keys()) for name, subset in subsets.items()}


def test_dagster_shows_each_partition_by_itself(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """Passed, not passed, and not reached; the next run's result replaces the former one's."""
    register(instance, KEYS)
    for key in KEYS:
        texts = [f"{text} of {key.stock_code}" for text in TEXTS]
        store_chunks(services.database, [*texts, *([" ".join(["word"] * 70)] if key == KEYS[1] else [])], key)
    embedder = services.embedder
    fail_on(services, "of XC")

    run(instance, services)

    assert states(instance, "nothing_truncated") == {
        "SUCCEEDED": {A},
        "FAILED": {B},
        "EXECUTION_FAILED": {str(KEYS[2]), D},
    }
    embedder.before, embedder.poison = (lambda _: None), "POISON"
    rows(services.database, "DELETE FROM document_chunks WHERE text LIKE 'word%'")
    assert run(instance, services).success
    assert states(instance, "nothing_truncated") == {"SUCCEEDED": {str(key) for key in KEYS}}


def test_checks_cost_a_bounded_number_of_events(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """One a check and partition, and two a check and run: that it is planned, and its output."""
    register(instance, KEYS)
    for key in KEYS:
        store_chunks(services.database, TEXTS, key)

    result = run(instance, services)

    kinds = [entry.dagster_event.event_type for entry in instance.all_logs(result.run_id) if entry.dagster_event]
    checks = len(VECTOR_CHECKS)
    assert kinds.count(dg.DagsterEventType.ASSET_CHECK_EVALUATION) == 4 * checks
    assert kinds.count(dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED) == checks
    assert kinds.count(dg.DagsterEventType.STEP_OUTPUT) == checks
    assert len(materialized(instance, result, VECTORIZED_CHUNKS)) == 4


@pytest.mark.usefixtures("_environment")
def test_runs_of_the_command_line_have_their_check_results(database_url: URL, tmp_path: Path, landing: Path) -> None:
    """Of all assets or of one, in the storage on PostgreSQL."""
    land(landing, US, "2024.txt", sentences(4))
    with (
        FakeServices(database_url, tmp_path / "home", landing) as services,
        recorded_runs(services, SilentListener()) as runs,
    ):
        runs.prepare([US])

        results = [runs.run(US, [asset.key for asset in CHAIN]), runs.run(US, [VECTORIZED_CHUNKS])]

        assert [result.error for result in results] == [None, None]
        instance = dg.DagsterInstance.get()
        for asset, checks in ((DOCUMENT_CHUNKS, CHUNK_CHECKS), (VECTORIZED_CHUNKS, VECTOR_CHECKS)):
            for check in checks:
                assert states(instance, check.name, asset) == {"SUCCEEDED": {str(US)}}


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What recorded runs set is undone."""
    for variable in ("DAGSTER_HOME", "VECTOR_ASSETS_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)


def test_all_checks_pass_on_clean_chunks(services: FakeServices, way: Way) -> None:
    """Of other programs, in both languages; a date or a title is no fragment."""
    write(services.database, [*TEXTS, "二〇一五年十二月三十日", "Item 2"])
    write(services.database, ["公司主要从事港口运营业务，本年度收入同比增长7.3%。"], name="b.txt")

    found = way(DOCUMENT_CHUNKS)

    assert set(found) == {check.name for check in CHUNK_CHECKS}
    assert failed(found) == {}
    assert shown(found["text_is_readable"])["documents"] == 2


def test_an_empty_chunk_is_an_error(services: FakeServices, way: Way) -> None:
    """White space of any script is nothing."""
    write(services.database, [*TEXTS, "", " \n\u3000\u00a0"])

    found = way(DOCUMENT_CHUNKS)

    assert failed(found) == {"no_empty_chunks": ERROR}
    examples = shown(found["no_empty_chunks"])["examples"].records
    assert [record.data["chunk_index"] for record in examples] == [6, 7]


@one_way
def test_many_fragments_are_a_warning(services: FakeServices, way: Way) -> None:
    """They are named, with their text."""
    write(services.database, [*TEXTS, "18", "$", "July 1,"])

    found = way(DOCUMENT_CHUNKS)

    assert failed(found) == {"chunk_sizes_in_range": WARN}
    figures = shown(found["chunk_sizes_in_range"])
    assert (figures["fragments"], figures["fragments_share"]) == (3, 0.3333)
    assert figures["fragment_examples"].records[2].data["text"] == "July 1,"


@one_way
@pytest.mark.parametrize("words", [65, 50_000])
def test_a_chunk_that_is_too_long_is_a_warning(words: int, services: FakeServices, way: Way) -> None:
    """Tokens are counted of the longest chunks; of an endless one no more than necessary."""
    write(services.database, [*TEXTS, *(" ".join(["word"] * 60) for _ in range(40)), " ".join(["word"] * words)])

    found = way(DOCUMENT_CHUNKS)

    assert failed(found) == {"chunk_sizes_in_range": WARN}
    figures = shown(found["chunk_sizes_in_range"])
    assert (figures["too_long"], figures["longest_counted"], figures["tokens_limit"]) == (1, 8, "64")
    assert 64 < figures["longest"].records[0].data["tokens"] <= 1000


@one_way
def test_one_document_in_a_wrong_encoding_is_a_warning(services: FakeServices, way: Way) -> None:
    """Among many good ones; the excerpt shows where."""
    for number in range(30):
        write(services.database, ["公司主要从事港口运营业务。" * 10], name=f"{number}.txt")
    good = "An invented issuer, whose filing is in English. " * 3
    mangled = "the company\u2019s revenue".encode().decode("cp1252")
    write(services.database, [good, f"{good}{mangled}"], name="mangled.txt")

    found = way(DOCUMENT_CHUNKS)

    assert failed(found) == {"text_is_readable": WARN}
    (worst,) = shown(found["text_is_readable"])["most_unreadable"].records
    assert (worst.data["document"], worst.data["chunk_index"]) == (f"elsewhere/{A}/mangled.txt", 1)
    assert "companyâ€™s" in worst.data["excerpt"]


def test_chunks_of_a_range_in_which_one_partition_fails_have_their_check_results(
    instance: dg.DagsterInstance, services: FakeServices, landing: Path
) -> None:
    """Those that were chunked are materialized and checked."""
    shrink_the_second(instance, services, landing)

    result = run(instance, services, assets=CHAIN)

    assert not result.success
    checked = {str(key) for key in KEYS if check_results(instance, result, str(key), DOCUMENT_CHUNKS)}
    assert checked == {A, str(KEYS[2]), D}
    assert states(instance, "no_empty_chunks", DOCUMENT_CHUNKS) == {"SUCCEEDED": checked, "EXECUTION_FAILED": {B}}


def test_a_failed_run_has_no_check_results(instance: dg.DagsterInstance, services: FakeServices, filings: Path) -> None:
    """Dagster shows that its checks were not executed."""
    fail_on(services, "w0x0")

    result = materialize(instance, services, US)

    assert "fails on any text" in failure(result)
    assert check_results(instance, result, str(US)) == {}
    assert states(instance, "complete") == {"EXECUTION_FAILED": {str(US)}}


def test_the_samples_pass_with_the_real_model(
    database_url: URL, instance: dg.DagsterInstance, home_with_models: Path
) -> None:
    """One partition of each market, with the English model: all but what is said of Chinese, which it cannot read."""
    from pydantic import SecretStr

    secret = SecretStr(database_url.render_as_string(hide_password=False))
    with Services(load_settings(database_url=secret, home=home_with_models, landing_dir=SAMPLES)) as services:
        landed = sorted({document.partition for document in services.landing.scan().documents}, key=str)
        keys = {key.market: key for key in landed}
        register(instance, list(keys.values()))
        found = {}
        for key in keys.values():
            result = materialize(instance, services, key)  # type: ignore[arg-type]
            assert result.success
            found[key.market] = {
                **failed(check_results(instance, result, str(key), DOCUMENT_CHUNKS)),
                **failed(check_results(instance, result, str(key))),
            }

    assert found["us"] == {}
    assert found["cn"] == {"vocabulary_covers_text": WARN}
