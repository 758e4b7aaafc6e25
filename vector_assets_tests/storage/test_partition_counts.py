"""Triggers count chunks and vectors; the rows that they write are merged without changing the sums."""

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.storage.database import Database
from vector_assets.storage.partition_counts import PartitionCounts
from vector_assets.storage.partition_status import PartitionStatusQueries

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks
from ..invariants import check_invariants
from .servers import connect

OTHER = PartitionKey("cn", "announcement", "999001")
TABLE = f"chunk_vectors_{SPACE.slug}"


def fill(database: Database) -> None:
    """Ten documents of two chunks, embedded two at a time."""
    for number in range(10):
        store_chunks(database, [f"{number} a", f"{number} b"], name=f"{number}.txt")
    make_vectorizer(database, HashEmbedder(), batch_size=2).vectorize_partition(KEY)


def test_whatever_is_written_is_counted(database: Database) -> None:
    """Inserts, edits, moves and deletions of chunks and vectors, and a truncation."""
    fill(database)
    for statement in (
        "UPDATE document_chunks SET text = text || ' edited' WHERE text LIKE '1%%'",
        "UPDATE documents SET market = 'cn', doc_type = 'announcement', stock_code = '999001' WHERE text LIKE '2%%'",
        "DELETE FROM documents WHERE text LIKE '3%%'",
        "DELETE FROM document_chunks WHERE text LIKE '4 a'",
        f"DELETE FROM {TABLE} WHERE chunk_id IN (SELECT id FROM document_chunks WHERE text LIKE '5%%')",
        f"UPDATE {TABLE} SET token_count = 9 WHERE chunk_id IN (SELECT id FROM document_chunks WHERE text LIKE '6%%')",
    ):
        rows(database, statement)
        check_invariants(database, HashEmbedder())
    for key in (KEY, OTHER):
        make_vectorizer(database, HashEmbedder()).vectorize_partition(key)
        check_invariants(database, HashEmbedder())

    for table in (TABLE, "documents CASCADE"):
        rows(database, f"TRUNCATE {table}")
        check_invariants(database, HashEmbedder())
    assert (_rows_in(database, "chunk_counts"), _rows_in(database, "vector_counts")) == (0, 0)


def test_many_rows_become_one_with_the_same_sums(database: Database) -> None:
    """Rows that another transaction holds or has just written stay; an empty partition keeps no row."""
    fill(database)
    counts, coverage = PartitionCounts(database), PartitionStatusQueries(database)
    before = coverage.partition_status(KEY, SPACE.slug), coverage.content_digest(KEY)

    with connect(database.url) as other, other.transaction():
        other.execute("SELECT FROM chunk_counts LIMIT 2 FOR UPDATE")
        other.execute("INSERT INTO chunk_counts SELECT market, doc_type, stock_code, 0, 0 FROM chunk_counts LIMIT 1")
        counts.merge_chunk_counts(KEY)
        counts.merge_vector_counts(KEY, SPACE.slug)

    assert (coverage.partition_status(KEY, SPACE.slug), coverage.content_digest(KEY)) == before
    assert (_rows_in(database, "chunk_counts"), _rows_in(database, "vector_counts")) == (4, 1)
    for number in range(10):
        rows(database, f"DELETE FROM documents WHERE text LIKE '{number} %%'")
    counts.merge_chunk_counts(KEY)
    assert _rows_in(database, "chunk_counts") == 0


def _rows_in(database: Database, table: str) -> int:
    return int(rows(database, f"SELECT count(*) FROM {table}")[0][0])
