"""Documents and their chunks in the tables; ids that stay; triggers that catch what other programs write."""

from dataclasses import replace
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_assets.domain.chunks import DocumentChunk, text_hash
from vector_assets.domain.documents import ChunkChanges, Document, DocumentRejection, KnownDocument
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import AnotherProgramsDocument
from vector_assets.storage.database import Database
from vector_assets.storage.documents import ChunkPosition, ExistingChunk, match_chunks

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks
from ..stores import Stores

OTHER = PartitionKey("cn", "announcement", "999001")


def test_chunking_again_keeps_unchanged_ids_and_embeds_only_new_text(stores: Stores) -> None:
    """Promise 9: ids stay although their index moves; removed chunks take their vectors along."""
    store_chunks(stores.database, ["a", "b", "c"])
    vectorizer = make_vectorizer(stores.database, HashEmbedder())
    vectorizer.vectorize_partition(KEY)
    before = stores.texts()

    store_chunks(stores.database, ["new", "a", "c"])

    after = stores.texts()
    assert list(after) == ["new", "a", "c"]
    assert after["a"] == [(before["a"][0][0], 1)]
    assert after["c"] == [(before["c"][0][0], 2)]
    assert set(stores.vectors_by_text(SPACE.slug)) == {"a", "c"}
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1


def test_equal_chunks_of_a_document_each_have_an_id(stores: Stores) -> None:
    """Promise 9: repeated text is neither lost nor merged."""
    store_chunks(stores.database, ["same", "other", "same"])
    first = stores.texts()

    store_chunks(stores.database, ["same", "same", "other"])

    after = stores.texts()
    assert {text: sorted(id_ for id_, _ in found) for text, found in after.items()} == {
        text: sorted(id_ for id_, _ in found) for text, found in first.items()
    }
    assert {text: [index for _, index in found] for text, found in after.items()} == {"same": [0, 1], "other": [2]}


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_matching_keeps_as_much_as_can_be_kept(old: list[str], new: list[str]) -> None:
    """Kept, removed and added chunks are exactly the common, the former and the new texts, counted with repeats."""
    places = [ChunkPosition(at, at, at + 1, None, None) for at in range(len(old))]
    existing = [ExistingChunk(UUID(int=100 + at), text_hash(text), places[at]) for at, text in enumerate(old)]

    match = match_chunks(existing, [DocumentChunk(text, at, at + 1) for at, text in enumerate(new)])

    kept_texts = sorted(old[id_.int - 100] for id_ in match.kept)
    assert kept_texts == sorted(text for text in set(old) for _ in range(min(old.count(text), new.count(text))))
    assert all(old[id_.int - 100] == new[index] for id_, index in match.kept.items())
    assert len(match.kept) + len(match.removed) == len(old)
    assert sorted([*match.kept.values(), *match.added]) == list(range(len(new)))
    assert set(match.moved) == {id_ for id_, index in match.kept.items() if id_.int - 100 != index}


def test_chunks_of_other_programs_get_partition_and_hash(database: Database) -> None:
    """A trigger fills what the writer does not know, and what it claims wrongly; the chunk is pending."""
    store_chunks(database, ["a"])
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    rows(
        database,
        "INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash) "
        "SELECT id, 'zz', 'zz', 'zz', 7, '外来', 'wrong' FROM documents",
    )

    columns = "market, doc_type, stock_code, content_hash"
    expected = ("us", "annual_report", "XTEST", text_hash("外来"))
    assert rows(database, f"SELECT {columns} FROM document_chunks WHERE chunk_index = 7") == [expected]
    assert rows(database, f"SELECT {columns} FROM pending_chunks") == [expected]
    rows(database, "UPDATE document_chunks SET market = 'zz', content_hash = 'wrong' WHERE chunk_index = 7")
    assert rows(database, f"SELECT {columns} FROM document_chunks WHERE chunk_index = 7") == [expected]


def test_ids_of_documents_and_chunks_follow_the_time(database: Database) -> None:
    """They are UUIDs of version 7, whichever program writes the rows, so that new rows come last in an index."""
    for number in range(3):
        store_chunks(database, [f"{number} a", f"{number} b"], name=f"{number}.txt")

    found = [id_ for (id_,) in rows(database, "SELECT id FROM document_chunks ORDER BY text")]
    documents = [id_ for (id_,) in rows(database, "SELECT id FROM documents ORDER BY source_uri")]

    assert {(id_.version, id_.variant) for id_ in (*found, *documents)} == {(7, RFC_4122)}
    assert (found, documents) == (sorted(found), sorted(documents))
    made = rows(database, "SELECT extract(epoch FROM created_at) * 1000 FROM document_chunks ORDER BY text")
    assert all(abs((id_.int >> 80) - float(moment)) < 60_000 for id_, (moment,) in zip(found, made, strict=True))


def test_a_document_that_moves_takes_its_chunks_along(stores: Stores) -> None:
    """The partition of a chunk is its document's; in the new partition it is pending."""
    store_chunks(stores.database, ["a", "b"])
    vectorizer = make_vectorizer(stores.database, HashEmbedder())
    vectorizer.vectorize_partition(KEY)
    moved = PartitionKey("hk", "annual_report", "00001")

    stores.move_documents(moved)

    assert vectorizer.vectorize_partition(KEY).processed == 0
    assert vectorizer.vectorize_partition(moved).vectorized_count == 2


def test_a_document_is_chunked_once_by_one_chunker(stores: Stores) -> None:
    """Nothing is chunked twice alike; new text, a new title, or another chunker, is."""
    store_chunks(stores.database, ["a"])

    assert list(stores.chunking.unchunked_documents(KEY, "lines")) == []
    assert stores.chunking.unchunked_partitions("lines") == []
    assert len(list(stores.chunking.unchunked_documents(KEY, "other"))) == 1
    stores.documents.save([changed("changed")], [])
    assert len(list(stores.chunking.unchunked_documents(KEY, "lines"))) == 1
    assert stores.chunking.unchunked_partitions("lines") == [KEY]
    (document,) = stores.chunking.unchunked_documents(KEY, "lines")
    stores.chunking.replace_chunks(document, [], "lines")
    stores.documents.save([replace(changed("changed"), language="zh")], [])
    assert stores.chunking.unchunked_partitions("lines") == []
    stores.documents.save([replace(changed("changed"), title="changed")], [])
    assert stores.chunking.unchunked_partitions("lines") == [KEY]


def changed(text: str) -> Document:
    """The document of `store_chunks` with another text."""
    return Document(f"{KEY}/a.txt", KEY, "X", "title", "2024", "en", text, "2")


def test_chunks_of_text_that_changed_meanwhile_are_not_stored(stores: Stores) -> None:
    """A slow chunker cannot overwrite the chunks of newer text, nor of a newer title."""
    store_chunks(stores.database, ["a", "b"])
    (old,) = stores.chunking.unchunked_documents(KEY, "slow")
    stores.documents.save([changed("newer")], [])

    changes = stores.chunking.replace_chunks(old, [DocumentChunk("stale", 0, 5)], "slow")

    assert changes == ChunkChanges()
    (old,) = stores.chunking.unchunked_documents(KEY, "slow")
    stores.documents.save([replace(changed("newer"), title="newer")], [])
    assert stores.chunking.replace_chunks(old, [DocumentChunk("stale", 0, 5)], "slow") == ChunkChanges()
    assert list(stores.texts()) == ["a", "b"]


def test_what_chunking_again_replaces_is_counted_before(stores: Stores) -> None:
    """All chunks of the partition, and those of each document that has any."""
    store_chunks(stores.database, ["a", "b"])
    store_chunks(stores.database, ["c"], name="b.txt")
    store_chunks(stores.database, ["elsewhere"], OTHER)
    stores.documents.save([replace(changed("new"), source_uri=f"{KEY}/c.txt")], [])

    counted = stores.chunking.chunks_to_replace(KEY, "another")

    assert counted.partition == 3
    assert sorted(counted.documents.values()) == [1, 2]
    assert stores.chunking.chunks_to_replace(KEY, "lines").documents == {}


def test_deleting_a_document_takes_everything_along(stores: Stores) -> None:
    """No orphaned chunk, vector or failure."""
    store_chunks(stores.database, ["a", "POISON"])
    make_vectorizer(stores.database, HashEmbedder()).vectorize_partition(KEY)

    stores.delete_documents(KEY)

    assert stores.texts() == {}
    assert stores.failures() == []
    assert stores.vectors_by_text(SPACE.slug) == {}


def test_a_rejected_document_is_remembered_until_it_can_be_used(stores: Stores) -> None:
    """With the fingerprint of the rejected file; the text that it had before stays."""
    store_chunks(stores.database, ["a"])
    rejection = DocumentRejection(f"{KEY}/a.txt", KEY, "Broken", "no page", "bad")
    elsewhere = DocumentRejection("elsewhere.txt", None, "Misplaced", "no partition", "any")

    stores.documents.save([], [rejection, elsewhere])

    known = stores.documents.known()
    assert {name: item.fingerprint for name, item in known.items()} == {f"{KEY}/a.txt": "bad", "elsewhere.txt": "any"}
    assert list(stores.documents.known(KEY)) == [f"{KEY}/a.txt"]
    assert stores.documents.rejections() == [elsewhere, rejection]
    assert stores.documents.rejections(KEY) == [rejection]
    assert list(stores.texts()) == ["a"]
    stores.documents.save([changed("good again")], [])
    stores.documents.forget_rejections(["elsewhere.txt", "unknown.txt"])
    assert stores.documents.rejections() == []
    assert stores.documents.known() == {f"{KEY}/a.txt": KnownDocument("2")}


def test_another_programs_document_is_not_replaced(stores: Stores) -> None:
    """A document without a fingerprint is another program's: nothing of the call is saved."""
    theirs = replace(changed("theirs"), fingerprint="")
    stores.documents.save([theirs], [])

    with pytest.raises(AnotherProgramsDocument):
        stores.documents.save([replace(theirs, source_uri="new.txt", fingerprint="1"), changed("ours")], [])
    stores.documents.forget_fingerprints([theirs.source_uri])

    assert stores.documents.known() == {theirs.source_uri: KnownDocument("")}


def test_fingerprints_are_forgotten(stores: Stores) -> None:
    """A document keeps its text and what is known of it, but its file seems to be another one."""
    document = replace(changed("text"), warning="2 pages", landing_root="/landing")
    stores.documents.save([document], [])
    before = stores.documents.known()[document.source_uri]

    stores.documents.forget_fingerprints([document.source_uri, "unknown.txt"])

    after = stores.documents.known()[document.source_uri]
    assert (before.warning, before.landing_root) == (after.warning, after.landing_root) == ("2 pages", "/landing")
    assert before.fingerprint != after.fingerprint != ""
