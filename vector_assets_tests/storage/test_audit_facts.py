"""The facts about a partition: counted at one moment, with examples, and the nearest chunks exactly."""

from uuid import UUID, uuid4

import numpy as np
import pytest

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.quality.partition_facts import PartitionVectorFacts
from vector_assets.storage.audit_facts import AuditFacts
from vector_assets.storage.binary_arrays import HalfVectors
from vector_assets.storage.database import Database
from vector_assets.storage.quarantine import Quarantine

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, quarantine_failed, rows, store_chunks, vector_of
from .servers import connect

OTHER = PartitionKey("cn", "announcement", "999001")
TABLE = f"chunk_vectors_{SPACE.slug}"


@pytest.fixture
def facts(database: Database) -> AuditFacts:
    return AuditFacts(database)


def embed(database: Database, run_id: str = "run 1", limit: int | None = None) -> None:
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY, run_id=run_id, limit=limit)


def of(facts: AuditFacts, moment: str | None = None, run_id: str = "run 1") -> PartitionVectorFacts:
    return facts.of_vectors(KEY, SPACE.slug, run_id, moment or facts.moment(), 0.01)


def overwrite(database: Database, text: str, vector: np.ndarray) -> None:
    """As another program could."""
    with database.transaction() as connection:
        connection.execute(
            f"UPDATE {TABLE} v SET embedding = (%(new)b::halfvec[])[1] FROM document_chunks c "
            "WHERE c.id = v.chunk_id AND c.text = %(text)s",
            {"new": HalfVectors(vector[None, :].astype(np.float32)), "text": text},
        )


def ids(database: Database) -> dict[str, UUID]:
    return dict(rows(database, "SELECT text, id FROM document_chunks"))


def test_every_chunk_is_counted_once(database: Database, facts: AuditFacts) -> None:
    """Current, pending or quarantined; another partition's count nowhere. Tokens are those of all vectors."""
    store_chunks(database, ["a", "b", "c", "POISON"])
    store_chunks(database, ["其他"], OTHER)
    embed(database)
    quarantine_failed(database, HashEmbedder())
    store_chunks(database, ["POISON 2"], name="b.txt")
    embed(database)
    rows(database, "UPDATE document_chunks SET text = 'edited' WHERE text = 'c'")

    found = of(facts)

    assert (found.chunks, found.current, found.pending, found.failed_once, found.quarantined) == (5, 2, 2, 1, 1)
    assert (found.read, found.without_vector, found.wrong_hash, found.wrong_norm) == (5, 0, 0, 0)
    assert (found.vectors, found.truncated_chunks, found.tokens, found.tokens_lost) == (3, 0, 3, 0)


def test_an_empty_partition_has_nothing(database: Database, facts: AuditFacts) -> None:
    """Zeros, not errors."""
    make_vectorizer(database, HashEmbedder())

    found = of(facts)

    assert (found.chunks, found.current, found.tokens, found.shared_vectors, found.sample) == (0, 0, 0, (), ())


def test_what_was_pending_before_the_run_and_still_is_was_missed(database: Database, facts: AuditFacts) -> None:
    """Not what came or changed since, was freed meanwhile, or was written before and committed after."""
    store_chunks(database, ["a", "b", "c", "POISON"])
    embed(database)
    store_chunks(database, ["late"], name="b.txt")
    with connect(database.url) as other:
        other.execute("BEGIN")
        other.execute("UPDATE document_chunks SET text = 'in flight' WHERE text = 'a'")
        moment = facts.moment()
        other.execute("COMMIT")
    rows(database, "UPDATE document_chunks SET text = 'edited' WHERE text = 'b'")
    Quarantine(database).release(SPACE.slug, [KEY])
    store_chunks(database, ["later"], name="c.txt")

    found = of(facts, moment)

    assert (found.pending, found.missed) == (5, 1)


def test_a_chunk_in_no_queue_without_a_vector_is_seen(database: Database, facts: AuditFacts) -> None:
    """Nobody else would embed it again."""
    store_chunks(database, ["a", "b"])
    embed(database)
    rows(database, f"ALTER TABLE {TABLE} DISABLE TRIGGER deleted")
    rows(database, f"DELETE FROM {TABLE} WHERE chunk_id = (SELECT id FROM document_chunks LIMIT 1)")

    found = of(facts)

    assert (found.current, found.without_vector) == (1, 1)


def test_a_chunk_that_lost_its_row_in_the_queue_is_seen_by_the_counts(database: Database, facts: AuditFacts) -> None:
    """However large the partition is: there are fewer vectors than chunks that need none."""
    store_chunks(database, ["a", "b", "c"])
    embed(database, limit=1)
    rows(database, "DELETE FROM pending_chunks")

    assert of(facts).without_vector == 2


def test_a_text_that_was_changed_without_triggers_is_seen(database: Database, facts: AuditFacts) -> None:
    """Its vector looks current by the hash of the former text."""
    store_chunks(database, ["a", "b"])
    embed(database)
    rows(
        database,
        "ALTER TABLE document_chunks DISABLE TRIGGER USER; UPDATE document_chunks SET text = 'new' WHERE text = 'a'; "
        "ALTER TABLE document_chunks ENABLE TRIGGER USER",
    )

    assert of(facts).wrong_hash == 1

    rows(database, "UPDATE document_chunks SET text = text")
    assert (of(facts).wrong_hash, of(facts).pending) == (0, 1)


def test_of_a_large_partition_the_runs_vectors_and_a_sample_are_read(
    database: Database, facts: AuditFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another sample for another run, and each run sees what it did itself; the counts are of the whole."""
    monkeypatch.setattr("vector_assets.storage.audit_facts.SAMPLE_CHUNKS", 10)
    store_chunks(database, [f"text {number}" for number in range(100)])
    embed(database)
    store_chunks(database, ["x", "y"], name="b.txt")
    embed(database, "run 2")
    overwrite(database, "x", np.zeros(SPACE.dimension))
    other = sorted(ids(database).values())[:3]

    found = [of(facts, run_id=f"run {number}") for number in range(2, 9)]

    assert all(item.chunks == item.current == item.vectors == 102 for item in found)
    assert (10 <= found[0].read <= 12, found[0].wrong_norm, found[0].compared) == (True, 1, found[0].read)
    assert {item.read for item in found[1:]} == {10}
    assert len({item.sample for item in found}) == len(found)
    near = facts.nearest(KEY, SPACE.slug, "run 2", other, np.stack([vector_of("x")] * 3))
    assert all(10 <= item.compared <= 13 for item in near)


def test_lengths_other_than_one_are_counted(database: Database, facts: AuditFacts) -> None:
    """A zero vector too, which the column takes."""
    store_chunks(database, ["a", "b", "c", "d"])
    embed(database)
    overwrite(database, "a", np.zeros(SPACE.dimension))
    overwrite(database, "b", 1.02 * vector_of("b"))
    overwrite(database, "c", 1.005 * vector_of("c"))

    assert of(facts).wrong_norm == 2


def test_truncated_chunks_are_counted_and_the_most_truncated_listed(database: Database, facts: AuditFacts) -> None:
    """Chunks that lost most tokens come first."""
    store_chunks(database, ["short", *(" ".join(["word"] * (64 + lost)) for lost in (3, 9, 1, 2, 4, 5, 6))])
    embed(database)

    found = of(facts)

    assert (found.truncated_chunks, found.tokens_lost) == (7, 30)
    assert [item.tokens_lost for item in found.most_truncated] == [9, 6, 5, 4, 3]
    assert found.most_truncated[0].document == f"{KEY}/a.txt"


def test_the_same_vector_of_two_texts_is_a_shared_vector(database: Database, facts: AuditFacts) -> None:
    """The same vector of the same text twice is none."""
    store_chunks(database, ["a", "a", "b", "c"])
    embed(database)
    assert of(facts).shared_vectors == ()
    overwrite(database, "b", vector_of("c"))

    (shared,) = of(facts).shared_vectors

    assert (shared.chunks, {shared.first.text, shared.second.text}) == (2, {"b", "c"})


def test_the_sample_is_bounded_and_has_the_runs_own_chunks(database: Database, facts: AuditFacts) -> None:
    """The same for one run, another for the next."""
    texts = [f"text {number}" for number in range(100)]
    store_chunks(database, texts)
    embed(database)
    store_chunks(database, ["new"], name="b.txt")
    embed(database, "run 2")

    sample = of(facts, run_id="run 2").sample

    assert len(sample) in (16, 17)
    assert [chunk.text for chunk in sample if chunk.from_run] == ["new"]
    assert sample == of(facts, run_id="run 2").sample
    assert sample != of(facts, run_id="run 3").sample


def test_the_nearest_is_found_exactly_and_in_the_partition(database: Database, facts: AuditFacts) -> None:
    """With the distance to the chunk's own vector; one whose text has changed since is left out."""
    store_chunks(database, ["a", "b", "c"])
    store_chunks(database, ["d"], OTHER)
    make_vectorizer(database, HashEmbedder()).vectorize_partition(OTHER)
    embed(database)
    overwrite(database, "b", vector_of("c"))
    overwrite(database, "c", vector_of("b"))
    at = ids(database)
    rows(database, "UPDATE document_chunks SET text = 'edited' WHERE text = 'a'")

    vectors = np.stack([vector_of(text) for text in "abd"])
    (found,) = facts.nearest(KEY, SPACE.slug, "run 1", [at["a"], at["b"], at["d"]], vectors)

    assert (found.chunk_id, found.nearest_id) == (at["b"], at["c"])
    assert found.nearest_distance == pytest.approx(0, abs=1e-6)
    assert found.own_distance == pytest.approx(1 - vector_of("b") @ vector_of("c"), abs=1e-3)
    assert facts.named([at["b"], uuid4()])[at["b"]].text == "b"
