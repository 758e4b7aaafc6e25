"""Search as people use it: names as they are written, what is missing, and the text around a hit."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from vector_assets.domain.documents import Document
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.partition_selection import Selection
from vector_assets.domain.search import ChunkFilter, Passage, SearchCoverage, SearchFilter
from vector_assets.errors import ChunkNotFound, InvalidQuestion, NoDocumentHas, NothingMatches, NothingToSearch
from vector_assets.search import FilingsSearch, Search, Searcher
from vector_assets.search.filters import chunk_filter
from vector_assets.search.question_checks import MOST_HITS

from ..fakes import KEY, HashEmbedder, make_live, make_vectorizer, rows, store_chunks
from ..memory.database import MemoryDatabase
from ..stores import MemoryStores, PostgresStores, Stores

QUARTERLY = replace(KEY, doc_type="quarterly_report")
OTHER = PartitionKey("us", "quarterly_report", "XYZ.B")
HK = PartitionKey("hk", "announcement", "00700")


def with_chunks(stores: Stores) -> Stores:
    """Four partitions; the document of the Chinese one has another period and language."""
    for key in (KEY, QUARTERLY, OTHER):
        store_chunks(stores.database, [f"a {key}", f"b {key}", f"c {key}"], key)
    store_chunks(stores.database, ["甲", "乙", "丙"], HK)
    chinese = Document(f"{HK}/a.txt", HK, "腾讯控股有限公司", "公告", "FY2025", "zh", "甲\n乙\n丙", "1")
    stores.documents.save([chinese], [])
    return stores


@pytest.fixture
def search(stores: Stores) -> FilingsSearch:
    """All have vectors but the Chinese one."""
    with_chunks(stores)
    vectorizer = make_vectorizer(stores.database, HashEmbedder())
    for key in (KEY, QUARTERLY, OTHER):
        vectorizer.vectorize_partition(key)
    return search_of(stores)


def search_of(stores: Stores) -> FilingsSearch:
    """A search that has an embedder for any space."""
    ranking = Search(stores.spaces, lambda space: Searcher(HashEmbedder(space), stores.vectors(space.slug)))
    return FilingsSearch(ranking, stores.searchable_chunks)


def partitions(*patterns: str) -> SearchFilter:
    """As somebody types them."""
    return SearchFilter(Selection(patterns))


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        (SearchFilter(), ChunkFilter()),
        (partitions("*"), ChunkFilter(chunks=12)),
        (partitions("US/"), ChunkFilter(markets=("us",), chunks=9)),
        (partitions("xyz.b"), ChunkFilter(stock_codes=("XYZ.B",), chunks=3)),
        (partitions("us/annual_report"), ChunkFilter(doc_types=("annual_report",), chunks=3)),
        (partitions("us/*/X*"), ChunkFilter(markets=("us",), chunks=9)),
        (partitions("00700", "annual_report"), ChunkFilter(doc_types=("announcement", "annual_report"), chunks=6)),
        (partitions("xyz.b", str(KEY)), ChunkFilter(partitions=(KEY, OTHER), chunks=6)),
        (
            SearchFilter(Selection(companies=("xtest",), doc_types=("Quarterly_Report",)), ("fy2025",), ("ZH", "en")),
            ChunkFilter((), ("quarterly_report",), ("XTEST",), ("FY2025",), ("en", "zh"), chunks=3),
        ),
    ],
)
def test_names_mean_what_is_stored(memory: MemoryDatabase, where: SearchFilter, meant: ChunkFilter) -> None:
    """In any letter case, by the same patterns as in the other commands."""
    assert chunk_filter(where, with_chunks(MemoryStores(memory)).searchable_chunks) == meant


def test_the_names_are_those_of_the_stores(stores: Stores) -> None:
    """Of partitions with chunks, and of all documents."""
    with_chunks(stores)

    assert stores.searchable_chunks.partitions() == {KEY: 3, QUARTERLY: 3, OTHER: 3, HK: 3}
    assert stores.searchable_chunks.periods_and_languages() == {("2024", "en"), ("FY2025", "zh")}


@pytest.mark.parametrize(
    ("where", "error", "nearest"),
    [
        (partitions("us/", "XTSET"), NothingMatches, "XTEST"),
        (SearchFilter(Selection(markets=("uk",))), NothingMatches, "us"),
        (partitions("us/annual_report/00700"), NothingMatches, "us/annual_report/XTEST"),
        (SearchFilter(periods=("FY2052",)), NoDocumentHas, "FY2025"),
        (SearchFilter(languages=("zh-CN",)), NoDocumentHas, "zh"),
    ],
)
def test_a_name_that_nothing_has_is_answered_with_the_nearest(
    memory: MemoryDatabase, where: SearchFilter, error: type[Exception], nearest: str
) -> None:
    """Each name must be known, also beside others that are."""
    search = search_of(with_chunks(MemoryStores(memory)))

    with pytest.raises(error, match=f"The nearest are .*{nearest}"):
        search.find("a", where)


def test_nothing_found_is_not_the_same_as_not_embedded_yet(search: FilingsSearch, stores: Stores) -> None:
    """An edited chunk has no current vector either."""
    stores.edit(f"b {KEY}", "edited")
    expected = [
        (SearchFilter(), SearchCoverage(12, 8)),
        (partitions("us/"), SearchCoverage(9, 8)),
        (partitions("hk/"), SearchCoverage(3, 0)),
        (partitions("xyz.b", str(KEY)), SearchCoverage(6, 5)),
        (SearchFilter(languages=("zh",)), SearchCoverage(3, 0)),
        (SearchFilter(Selection(("us/",)), periods=("FY2025",)), SearchCoverage(0, 0)),
        (SearchFilter(Selection(("us/annual_report",)), periods=("2024",)), SearchCoverage(3, 2)),
    ]

    answers = [search.answer("a", where, limit=100) for where, _ in expected]

    assert [answer.coverage for answer in answers] == [coverage for _, coverage in expected]
    assert [len(answer.hits) for answer in answers] == [coverage.current for _, coverage in expected]


def test_the_coverage_of_a_retired_space_is_that_of_its_vectors(search: FilingsSearch, stores: Stores) -> None:
    """It has no queue."""
    other = replace(HashEmbedder().space, model="other")
    make_live(stores.database, other)
    stores.spaces.retire(other.slug)

    assert stores.searchable_chunks.coverage(other.slug, ChunkFilter()) == SearchCoverage(12, 0)


def test_a_hit_is_read_with_what_stands_around_it(search: FilingsSearch, stores: Stores) -> None:
    """As one text of the document, at its beginning too; a chunk that is gone says so."""
    (hit,) = search.find(f"a {KEY}", partitions("us/annual_report"), limit=1)
    assert hit.chunk_id is not None

    around = search.passage(hit.chunk_id, 1)

    about = (f"{KEY}/a.txt", "X", "title", "2024", "en")
    assert around == Passage(KEY, *about, 0, 1, None, None, f"a {KEY}\nb {KEY}")
    assert search.passage(hit.chunk_id, 0).text == f"a {KEY}"
    assert search.passage(hit.chunk_id, 50).chunk_to == 2
    with pytest.raises(ChunkNotFound):
        search.passage(UUID(int=0))


def test_a_passage_of_chunks_without_a_place_is_their_texts(search: FilingsSearch, stores: Stores) -> None:
    """As other programs write them."""
    if isinstance(stores, PostgresStores):
        rows(stores.database, "UPDATE document_chunks SET char_from = NULL, char_to = NULL, page_from = 7, page_to = 8")
        (hit,) = search.find(f"a {KEY}", partitions("us/annual_report"), limit=1)
        assert hit.chunk_id is not None

        passage = search.passage(hit.chunk_id)

        assert (passage.page_from, passage.page_to, passage.text) == (7, 8, f"a {KEY}\n\nb {KEY}")


def test_as_many_hits_as_there_are(search: FilingsSearch) -> None:
    """Not more, however many are asked for."""
    assert len(search.find("a", limit=MOST_HITS)) == 9


def test_what_cannot_be_asked_is_refused(search: FilingsSearch) -> None:
    """A question without a word."""
    with pytest.raises(InvalidQuestion):
        search.answer("?")


class Alphabetical:
    """A second stage that likes the end of the alphabet."""

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([ord(text[0]) for text in texts], dtype=np.float32)


def test_a_second_stage_orders_the_hits_again(search: FilingsSearch, stores: Stores) -> None:
    """Also those that the first stage would not have shown; each keeps its score and its ranks."""
    ranking = Search(
        stores.spaces,
        lambda space: Searcher(HashEmbedder(space), stores.vectors(space.slug)),
        reranker=Alphabetical(),
    )
    first_stage = {hit.chunk_id: hit for hit in search.find(f"a {KEY}", limit=9)}

    hits = FilingsSearch(ranking, stores.searchable_chunks).find(f"a {KEY}", limit=3)

    assert {hit.text[0] for hit in hits} == {"c"}
    assert hits == [first_stage[hit.chunk_id] for hit in hits]


@pytest.mark.parametrize("ask", [FilingsSearch.find, FilingsSearch.answer])
def test_without_a_space_there_is_nothing_to_search(
    stores: Stores, ask: Callable[[FilingsSearch, str], object]
) -> None:
    """Not even nothing."""
    with pytest.raises(NothingToSearch):
        ask(search_of(stores), "a")
