"""Documents and their chunks in the tables; ids that stay; triggers that catch what other programs write."""

from hypothesis import given
from hypothesis import strategies as st

from vector_assets.domain.chunks import text_hash
from vector_assets.domain.documents import ChunkChanges, Document
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.storage.database import Database
from vector_assets.storage.documents import ExistingChunk, PostgresDocumentStore, match_chunks

from ..fakes import KEY, HashEmbedder, make_vectorizer, rows, store_chunks

CHUNKS = "SELECT text, id, chunk_index FROM document_chunks ORDER BY chunk_index"


def test_recutting_keeps_unchanged_ids_and_embeds_only_new_text(database: Database) -> None:
    """Promise 9: ids stay although their index moves; removed chunks take their vectors along."""
    store_chunks(database, ["a", "b", "c"])
    vectorizer = make_vectorizer(database, HashEmbedder())
    vectorizer.vectorize_partition(KEY)
    before = {text: id_ for text, id_, _ in rows(database, CHUNKS)}

    store_chunks(database, ["new", "a", "c"])

    after = {text: id_ for text, id_, _ in rows(database, CHUNKS)}
    assert [text for text, _, _ in rows(database, CHUNKS)] == ["new", "a", "c"]
    assert (after["a"], after["c"]) == (before["a"], before["c"])
    assert rows(database, f"SELECT count(*) FROM chunk_vectors_{vectorizer._embedder.space.slug}") == [(2,)]
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1


def test_equal_chunks_of_a_document_each_have_an_id(database: Database) -> None:
    """Promise 9: repeated text is neither lost nor merged."""
    store_chunks(database, ["same", "other", "same"])
    first = rows(database, CHUNKS)

    store_chunks(database, ["same", "same", "other"])

    assert sorted(row[1] for row in rows(database, CHUNKS)) == sorted(row[1] for row in first)
    assert [row[0] for row in rows(database, CHUNKS)] == ["same", "same", "other"]


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_matching_keeps_as_much_as_can_be_kept(old: list[str], new: list[str]) -> None:
    """Kept, removed and added chunks are exactly the common, the former and the new texts, counted with repeats."""
    existing = [ExistingChunk(100 + at, at, text_hash(text)) for at, text in enumerate(old)]

    match = match_chunks(existing, [text_hash(text) for text in new])

    kept_texts = sorted(old[id_ - 100] for id_ in match.kept)
    assert kept_texts == sorted(text for text in set(old) for _ in range(min(old.count(text), new.count(text))))
    assert all(old[id_ - 100] == new[index] for id_, index in match.kept.items())
    assert len(match.kept) + len(match.removed) == len(old)
    assert sorted([*match.kept.values(), *match.added]) == list(range(len(new)))


def test_chunks_of_other_programs_get_partition_and_hash(database: Database) -> None:
    """A trigger fills what the writer does not know, and what it claims wrongly."""
    store_chunks(database, ["a"])

    rows(
        database,
        "INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash, "
        "vectorized_at) SELECT id, 'zz', 'zz', 'zz', 7, '外来', 'wrong', now() FROM documents",
    )

    query = (
        "SELECT market, doc_type, stock_code, content_hash, vectorized_at FROM document_chunks WHERE chunk_index = 7"
    )
    assert rows(database, query) == [("us", "annual_report", "XTEST", text_hash("外来"), None)]


def test_a_document_that_moves_takes_its_chunks_along(database: Database) -> None:
    """The partition of a chunk is its document's; in the new partition it is pending."""
    store_chunks(database, ["a", "b"])
    vectorizer = make_vectorizer(database, HashEmbedder())
    vectorizer.vectorize_partition(KEY)
    moved = PartitionKey("hk", "annual_report", "00001")

    rows(database, "UPDATE documents SET market = 'hk', stock_code = '00001'")

    assert vectorizer.vectorize_partition(KEY).processed == 0
    assert vectorizer.vectorize_partition(moved).vectorized_count == 2


def test_a_document_is_cut_once_by_one_chunker(database: Database) -> None:
    """Nothing is cut twice the same way; new text, or another chunker, is."""
    store = PostgresDocumentStore(database)
    store_chunks(database, ["a"])

    assert list(store.unchunked_documents(KEY, "lines")) == []
    assert len(list(store.unchunked_documents(KEY, "other"))) == 1
    store.save([Document(f"{KEY}/a.txt", KEY, "X", "title", "2024", "en", "changed", "2")], [])
    assert len(list(store.unchunked_documents(KEY, "lines"))) == 1


def test_chunks_of_text_that_changed_meanwhile_are_not_stored(database: Database) -> None:
    """A slow cutter cannot overwrite the chunks of newer text."""
    store = PostgresDocumentStore(database)
    store_chunks(database, ["a", "b"])
    (old,) = store.unchunked_documents(KEY, "slow")
    store.save([Document(f"{KEY}/a.txt", KEY, "X", "title", "2024", "en", "newer", "2")], [])

    changes = store.replace_chunks(old, ["stale"], "slow")

    assert changes == ChunkChanges()
    assert [text for text, _, _ in rows(database, CHUNKS)] == ["a", "b"]


def test_deleting_a_document_takes_everything_along(database: Database) -> None:
    """No orphaned chunk, vector or failure."""
    store_chunks(database, ["a", "POISON"])
    vectorizer = make_vectorizer(database, HashEmbedder())
    vectorizer.vectorize_partition(KEY)

    rows(database, "DELETE FROM documents")

    slug = vectorizer._embedder.space.slug
    for table in ("document_chunks", "chunk_failures", f"chunk_vectors_{slug}"):
        assert rows(database, f"SELECT count(*) FROM {table}") == [(0,)]
