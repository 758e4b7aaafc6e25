"""A partition does not lose most of its chunks unless somebody says that this is meant."""

from pathlib import Path

import pytest

from vector_assets.domain.documents import ChunkChanges, ChunksToReplace
from vector_assets.errors import PartitionWouldShrink
from vector_assets.ingestion.ingest import Ingestion
from vector_assets.storage.database import Database
from vector_assets.storage.documents import PostgresDocumentStore

from ..fakes import KEY, HashEmbedder, make_vectorizer, rows
from .test_ingest import OTHER, A, B, make, put

CHUNKS = "SELECT id, document_id, chunk_index, text FROM document_chunks ORDER BY id"


@pytest.fixture
def ingestion(database: Database, landing: Path) -> Ingestion:
    return make(database, landing)


def sentences(count: int, word: str = "one") -> str:
    """Return a text of this many chunks."""
    return " ".join(f"{word} two three {number}." for number in range(count))


def ingested(ingestion: Ingestion, landing: Path, **texts: str) -> ChunkChanges:
    """Write `a="text"` as the partition's a.txt, read it and chunk it."""
    for name, text in texts.items():
        put(landing, f"{KEY}/{name}.txt", text)
    ingestion.read_documents(KEY)
    return ingestion.chunk_documents(KEY).changes


def test_a_document_that_lost_its_end(ingestion: Ingestion, database: Database, landing: Path) -> None:
    """No chunk and no vector is deleted; the error says what would be deleted and how to allow it."""
    ingested(ingestion, landing, a=sentences(40))
    embedder = HashEmbedder()
    make_vectorizer(database, embedder).vectorize_partition(KEY)
    vectors = f"SELECT chunk_id FROM chunk_vectors_{embedder.space.slug} ORDER BY chunk_id"
    before = rows(database, CHUNKS), rows(database, vectors)

    with pytest.raises(
        PartitionWouldShrink, match=f"{KEY} would shrink from 40 chunks to 19.*--allow-shrink"
    ) as caught:
        ingested(ingestion, landing, a=sentences(19))

    assert (caught.value.before, caught.value.after) == (40, 19)
    assert "\n" not in str(caught.value)
    assert (rows(database, CHUNKS), rows(database, vectors)) == before


def test_it_is_refused_each_time(ingestion: Ingestion, landing: Path) -> None:
    """A refused partition remains to be chunked, and is refused again until its files are complete."""
    ingested(ingestion, landing, a=sentences(40))
    for _ in range(2):
        with pytest.raises(PartitionWouldShrink):
            ingested(ingestion, landing, a=sentences(5))
        assert ingestion.changes().partitions == (KEY,)

    changes = ingested(ingestion, landing, a=sentences(40))

    assert changes == ChunkChanges(unchanged=40)
    assert ingestion.changes().partitions == ()


def test_a_call_may_allow_it(ingestion: Ingestion, database: Database, landing: Path) -> None:
    """With `allow_shrink` the chunks are deleted, by that call only."""
    ingested(ingestion, landing, a=sentences(40))
    put(landing, A, sentences(5))
    ingestion.read_documents(KEY)

    report = ingestion.chunk_documents(KEY, allow_shrink=True)

    assert report.changes == ChunkChanges(unchanged=5, removed=35)
    assert len(rows(database, CHUNKS)) == 5


@pytest.mark.parametrize(
    ("before", "after", "refused"), [(40, 20, False), (40, 19, True), (20, 9, True), (19, 1, False)]
)
def test_where_the_limit_is(ingestion: Ingestion, landing: Path, before: int, after: int, refused: bool) -> None:
    """A partition may lose half of its chunks, not more; one of less than twenty chunks may lose any number."""
    ingested(ingestion, landing, a=sentences(before))

    if refused:
        with pytest.raises(PartitionWouldShrink):
            ingested(ingestion, landing, a=sentences(after))
    else:
        assert ingested(ingestion, landing, a=sentences(after)).removed == before - after


def test_other_text_of_the_same_length(ingestion: Ingestion, landing: Path) -> None:
    """Chunks that are replaced by others are no loss, even if none of them stays."""
    ingested(ingestion, landing, a=sentences(40))

    assert ingested(ingestion, landing, a=sentences(38, "uno")) == ChunkChanges(added=38, removed=40)


def test_another_chunker(ingestion: Ingestion, database: Database, landing: Path) -> None:
    """A chunker of about the same size chunks everything again; one of a far larger size must be allowed."""
    ingested(ingestion, landing, a=sentences(40), b=sentences(10))

    with pytest.raises(PartitionWouldShrink, match="from 50 chunks to 9"):
        make(database, landing, room=31).chunk_documents(KEY)
    report = make(database, landing, room=6).chunk_documents(KEY)

    assert report.documents == 2


def test_documents_together(ingestion: Ingestion, database: Database, landing: Path) -> None:
    """The chunks of the partition count: one of three documents may shrink, two may not, and then none changes."""
    ingested(ingestion, landing, a=sentences(20), b=sentences(20), c=sentences(20))
    before = rows(database, CHUNKS)

    with pytest.raises(PartitionWouldShrink, match="from 60 chunks to 21"):
        ingested(ingestion, landing, a=sentences(19), b="one.", c="one.")

    assert rows(database, CHUNKS) == before
    assert ingested(ingestion, landing, b=sentences(20)) == ChunkChanges(unchanged=39, added=1, removed=21)


def test_new_documents_do_not_make_up_for_old_ones(ingestion: Ingestion, landing: Path) -> None:
    """A new document does not make up for documents that lost their ends."""
    ingested(ingestion, landing, a=sentences(40))

    with pytest.raises(PartitionWouldShrink, match="from 40 chunks to 1"):
        ingested(ingestion, landing, a="one.", b=sentences(60))


def test_new_documents_are_no_danger(ingestion: Ingestion, landing: Path) -> None:
    """If all documents are new, each is chunked and announced once."""
    ingested(ingestion, landing, a=sentences(40))
    put(landing, B, sentences(30))
    ingestion.read_documents(KEY)
    announced: list[str] = []

    ingestion.chunk_documents(KEY, announced.append)

    assert announced == [B]


def test_removed_file(ingestion: Ingestion, database: Database, landing: Path) -> None:
    """A file that is removed or becomes bad deletes nothing, so it is not refused."""
    ingested(ingestion, landing, a=sentences(40), b=sentences(40))
    before = rows(database, CHUNKS)
    (landing / A).unlink()
    put(landing, B, b"\xff")

    ingestion.read_documents(KEY)

    assert ingestion.chunk_documents(KEY).changes == ChunkChanges()
    assert rows(database, CHUNKS) == before


def test_other_partitions_do_not_count(ingestion: Ingestion, landing: Path) -> None:
    """Chunks of another partition do not count."""
    put(landing, f"{OTHER}/a.txt", sentences(100))
    ingestion.read_documents(OTHER)
    ingestion.chunk_documents(OTHER)
    ingested(ingestion, landing, a=sentences(40))

    with pytest.raises(PartitionWouldShrink, match="from 40 chunks to 1"):
        ingested(ingestion, landing, a="one.")


def test_what_is_to_replace(ingestion: Ingestion, database: Database, landing: Path) -> None:
    """All chunks of the partition are counted, and those of the documents that will be chunked."""
    ingested(ingestion, landing, a=sentences(3), b=sentences(4))
    put(landing, B, "one.")
    put(landing, f"{KEY}/new.txt", "one.")
    ingestion.read_documents(KEY)
    rows(
        database,
        "INSERT INTO documents (market, doc_type, stock_code, source_uri, text, content_hash) "
        "VALUES ('us', 'annual_report', 'XTEST', 'theirs', 'text', '')",
    )
    rows(
        database,
        "INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash) "
        "SELECT id, '', '', '', 0, 'text', '' FROM documents WHERE source_uri = 'theirs'",
    )
    ((b,),) = rows(database, f"SELECT id FROM documents WHERE source_uri = '{B}'")

    to_replace = PostgresDocumentStore(database).chunks_to_replace(KEY, ingestion.chunker.identity)

    assert to_replace == ChunksToReplace(8, {b: 4})
