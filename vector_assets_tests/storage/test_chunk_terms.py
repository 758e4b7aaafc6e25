"""The terms of chunks follow their texts, and find them."""

import pytest

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.search import ChunkFilter
from vector_assets.domain.terms import term_counts
from vector_assets.search import TermFiller
from vector_assets.storage import chunk_terms as module
from vector_assets.storage.chunk_terms import ChunkTerms
from vector_assets.storage.database import Database

from ..fakes import KEY, rows, store_chunks

CN = PartitionKey("cn", "announcement", "999001")
_ANYWHERE = ChunkFilter()


@pytest.fixture
def terms(database: Database) -> ChunkTerms:
    """Three English chunks and two Chinese ones, filled in."""
    store_chunks(database, ["net sales rose", "net loss of the segment", "dividend policy, dividend record"], KEY)
    store_chunks(database, ["公司回购股份", "年度报告"], CN)
    filled = ChunkTerms(database)
    fill(filled)
    return filled


def fill(terms: ChunkTerms) -> list[int]:
    """Fill both partitions in; how many chunks of each were queued."""
    return [TermFiller(terms).fill(key) for key in (KEY, CN)]


def found(database: Database, question: str, where: ChunkFilter = _ANYWHERE, limit: int = 10) -> list[str]:
    """Give the texts that the question finds, best first."""
    terms = ChunkTerms(database)
    asked = terms.question(term_counts(question))
    assert asked is not None
    ids = [chunk_id for chunk_id, _ in terms.candidates(asked, where, limit)]
    texts = dict(rows(database, "SELECT id, text FROM document_chunks"))
    return [texts[id_] for id_ in ids]


@pytest.mark.usefixtures("terms")
def test_chunks_are_found_by_their_terms(database: Database) -> None:
    """The more of the terms, the rarer and the more often, the better."""
    assert found(database, "net sales") == ["net sales rose", "net loss of the segment"]
    assert found(database, "dividends") == ["dividend policy, dividend record"]
    assert found(database, "回购") == ["公司回购股份"]
    assert found(database, "nothing like it") == []
    assert found(database, "net sales", limit=1) == ["net sales rose"]
    assert found(database, "net", ChunkFilter(markets=("cn",))) == []
    assert found(database, "net", ChunkFilter(partitions=(KEY,), periods=("2024",))) != []
    assert found(database, "net", ChunkFilter(periods=("1999",))) == []


@pytest.mark.usefixtures("terms")
def test_where_every_term_is_frequent_several_are_looked_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks that have all of them are enough; where there are none, one term will do."""
    monkeypatch.setattr(module, "_MANY_CHUNKS", 0)
    monkeypatch.setattr(module, "_FEW", 1)

    assert found(database, "net sales") == ["net sales rose"]
    assert found(database, "sales dividend") != []


@pytest.mark.usefixtures("terms")
def test_where_a_filter_leaves_few_chunks_any_term_is_looked_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere the rarest terms are enough."""
    monkeypatch.setattr(module, "_ENOUGH_CHUNKS", 1)

    assert found(database, "net dividends") == ["dividend policy, dividend record"]
    assert len(found(database, "net dividends", ChunkFilter(markets=("us",), chunks=3))) == 3


def test_an_edited_moved_or_deleted_chunk_is_queued_again(terms: ChunkTerms, database: Database) -> None:
    """By whoever writes it; what is filled in is not queued."""
    assert fill(terms) == [0, 0]
    rows(database, "UPDATE document_chunks SET text = 'gross margin' WHERE text = 'net sales rose'")
    rows(database, "UPDATE documents SET market = 'us' WHERE market = 'cn'")
    rows(database, "DELETE FROM document_chunks WHERE text = 'net loss of the segment'")

    moved = PartitionKey("us", CN.doc_type, CN.stock_code)
    assert [*fill(terms), TermFiller(terms).fill(moved)] == [1, 0, 2]
    assert found(database, "gross margin") == ["gross margin"]
    assert found(database, "net sales") == []
    assert found(database, "回购", ChunkFilter(markets=("us",))) == ["公司回购股份"]
    rows(database, "TRUNCATE documents CASCADE")
    assert rows(database, "SELECT FROM pending_terms") == []


def test_terms_of_a_text_that_changed_meanwhile_are_not_stored(terms: ChunkTerms, database: Database) -> None:
    """The chunk stays queued."""
    rows(database, "UPDATE document_chunks SET text = 'first edit' WHERE text = 'net sales rose'")
    (queued,) = terms.queued(KEY)
    rows(database, "UPDATE document_chunks SET text = 'second edit' WHERE text = 'first edit'")

    terms.store(KEY, [(queued, term_counts(queued.text))])

    assert found(database, "first") == []
    assert fill(terms) == [1, 0]
    assert found(database, "second") == ["second edit"]


def test_statistics_are_counted_again_when_enough_has_changed(terms: ChunkTerms, database: Database) -> None:
    """One more chunk of ten is enough; one of a hundred is not."""
    store_chunks(database, [f"chunk {number}" for number in range(95)], KEY, "b.txt")
    fill(terms)
    counted = rows(database, "SELECT chunks FROM term_totals")
    store_chunks(database, ["one more"], KEY, "c.txt")
    fill(terms)

    assert counted == rows(database, "SELECT chunks FROM term_totals") == [(100,)]


def test_before_anything_is_counted_nothing_is_found(database: Database) -> None:
    """Search then compares vectors alone."""
    assert ChunkTerms(database).question(term_counts("net sales")) is None
