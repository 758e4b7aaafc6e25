"""How many of the truly nearest vectors an index finds, and which ef_search is enough."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..domain.partition_keys import PartitionKey
from ..domain.search import ChunkFilter
from ..domain.spaces import Vectors

NEIGHBORS = 10
"""Recall is counted among so many nearest vectors."""

EF_SEARCHES = (40, 60, 100, 160, 250, 400, 640, 1000)
"""The values of ef_search that are tried, the fastest first. pgvector's default is 40, its limit 1,000."""

MOST_EF_SEARCH = 640
"""More makes a search slow, so that it is not chosen unless somebody says so. A million vectors take 16 ms."""

# Where so many answers of a group were exact, its filters leave few vectors, and all its answers are exact.
_FEW = 5

# A question is as far from the chunk that answers it as this move takes it: a cosine of 0.9. A stored vector is its own
# nearest one, and its neighbors are found more easily: .977 where .964 of those of questions were found.
_QUESTION_MOVE = 0.45

# Duplicates of a chunk have the same vector, and the server adds up in another order: what is as near as the tenth
# neighbor to this precision is as good.
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class RecallQuery:
    """A question by its vector, asked under a filter. `market` and `width` name the group that it is counted in."""

    vector: NDArray[np.float32] = field(repr=False)
    where: ChunkFilter
    market: str
    width: str


@dataclass(frozen=True)
class VectorWindow:
    """Current vectors of a space, and the partition of each."""

    partitions: Sequence[PartitionKey]
    vectors: Vectors


@dataclass(frozen=True)
class RecallRow:
    """The recall of the queries of one market under filters of one width.

    `missing` counts hits that exist and were not returned. `by_index` says whether the index answered, or the filter is
    so narrow that each vector is compared.
    """

    market: str
    width: str
    queries: int
    recall: float
    missing: int
    by_index: bool
    median_milliseconds: float


@dataclass(frozen=True)
class RecallReport:
    """The recall with one ef_search, by market and width."""

    ef_search: int
    rows: tuple[RecallRow, ...]

    @property
    def lowest(self) -> float:
        """The recall of the worst group; 1 where nothing was asked."""
        return min((row.recall for row in self.rows), default=1.0)

    def passes(self, limit: float) -> bool:
        """Whether each group reaches the limit, and no hit is missing."""
        return all(row.recall >= limit and not row.missing for row in self.rows)


@dataclass(frozen=True)
class RecallOutcome:
    """What the recall gate found. `chosen` is None where no ef_search up to the most allowed is enough.

    `would_do` is then the ef_search above it that is, if there is one; `report` is of the chosen one, or else of the
    most allowed.
    """

    limit: float
    report: RecallReport
    chosen: int | None
    would_do: int | None = None


@dataclass(frozen=True)
class Answer:
    """What a search gave: the cosines of its hits, whether by the index, and how long it took."""

    cosines: Sequence[float]
    by_index: bool
    seconds: float


def like_question(vector: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """Move a stored vector as far as a question is from the chunk that answers it, the same way for each number."""
    move = np.random.default_rng(number).normal(size=len(vector)) / np.sqrt(len(vector))
    return _normalized((vector + _QUESTION_MOVE * move).astype(np.float32))


def queries_of(partition: PartitionKey, vector: NDArray[np.float32], with_company: bool) -> list[RecallQuery]:
    """Make the queries of one sample: without a filter, and with one of each width."""
    widths = {
        "none": ChunkFilter(),
        "market": ChunkFilter((partition.market,)),
        "doc_type": ChunkFilter(doc_types=(partition.doc_type,)),
        "market, doc_type": ChunkFilter((partition.market,), (partition.doc_type,)),
    }
    if with_company:
        widths["company"] = ChunkFilter((partition.market,), stock_codes=(partition.stock_code,))
    return [RecallQuery(vector, where, partition.market, width) for width, where in widths.items()]


class ExactNeighbors:
    """Finds, window by window, how near the nearest vectors to each query are."""

    def __init__(self, queries: Sequence[RecallQuery]) -> None:
        self._queries = queries
        self._nearest = [np.empty(0, np.float32) for _ in queries]
        groups: dict[ChunkFilter, list[int]] = defaultdict(list)
        for place, query in enumerate(queries):
            groups[query.where].append(place)
        self._groups = {
            where: (places, _normalized(_halved([queries[place].vector for place in places])))
            for where, places in groups.items()
        }

    def add(self, window: VectorWindow) -> None:
        """Compare with the vectors of a window."""
        keys = list(dict.fromkeys(window.partitions))
        numbers = {key: number for number, key in enumerate(keys)}
        codes = np.array([numbers[key] for key in window.partitions])
        vectors = _normalized(window.vectors)
        for where, (places, asked) in self._groups.items():
            passing = np.array([_passes(key, where) for key in keys])[codes]
            if not passing.any():
                continue
            cosines = asked @ (vectors if passing.all() else vectors[passing]).T
            for place, row in zip(places, cosines, strict=True):
                self._nearest[place] = _greatest(np.concatenate([self._nearest[place], row]))

    def all(self) -> list[NDArray[np.float32]]:
        """Give the cosines of the nearest vectors to each query, the greatest first: ten, or as many as there are."""
        return [np.sort(found)[::-1] for found in self._nearest]


def measure_recall(
    ef_search: int,
    queries: Sequence[RecallQuery],
    exact: Sequence[NDArray[np.float32]],
    answer: Callable[[RecallQuery], Answer],
) -> RecallReport:
    """Ask each query, and compare the answer with the exact one; of a group that the index does not answer, a few."""
    groups: dict[tuple[str, str], list[tuple[Answer, NDArray[np.float32]]]] = defaultdict(list)
    for query, nearest in zip(queries, exact, strict=True):
        asked = groups[query.market, query.width]
        if len(nearest) and (len(asked) < _FEW or any(given.by_index for given, _ in asked)):
            asked.append((answer(query), nearest))
    return RecallReport(ef_search, tuple(_row(*key, asked) for key, asked in groups.items() if asked))


def choose_ef_search(measure: Callable[[int], RecallReport], limit: float, most: int = MOST_EF_SEARCH) -> RecallOutcome:
    """Choose the smallest ef_search whose recall reaches the limit in each group; more of it never finds less."""
    measured = cache(measure)
    place = bisect_left(EF_SEARCHES, True, key=lambda ef_search: measured(ef_search).passes(limit))
    needed = EF_SEARCHES[place] if place < len(EF_SEARCHES) else None
    if needed is not None and needed <= most:
        return RecallOutcome(limit, measured(needed), needed)
    allowed = max((ef_search for ef_search in EF_SEARCHES if ef_search <= most), default=EF_SEARCHES[0])
    return RecallOutcome(limit, measured(allowed), None, needed)


def _row(market: str, width: str, asked: Iterable[tuple[Answer, NDArray[np.float32]]]) -> RecallRow:
    pairs = list(asked)
    found = sum(_found(answer, nearest) for answer, nearest in pairs)
    wanted = sum(len(nearest) for _, nearest in pairs)
    missing = sum(max(len(nearest) - len(answer.cosines), 0) for answer, nearest in pairs)
    median = float(np.median([answer.seconds for answer, _ in pairs]))
    by_index = any(answer.by_index for answer, _ in pairs)
    return RecallRow(market, width, len(pairs), found / wanted, missing, by_index, 1000 * median)


def _found(answer: Answer, nearest: NDArray[np.float32]) -> int:
    farthest = float(nearest[-1]) - _TOLERANCE
    return min(sum(cosine >= farthest for cosine in answer.cosines), len(nearest))


def _greatest(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(cosines) <= NEIGHBORS:
        return cosines
    return np.partition(cosines, -NEIGHBORS)[-NEIGHBORS:]


def _halved(vectors: Sequence[NDArray[np.float32]]) -> Vectors:
    """Round as the server is asked, to 16 bits."""
    return np.stack(vectors).astype(np.float16).astype(np.float32)


def _normalized(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    normalized: NDArray[np.float32] = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return normalized


def _passes(key: PartitionKey, where: ChunkFilter) -> bool:
    wanted = (where.markets, where.doc_types, where.stock_codes)
    own = (key.market, key.doc_type, key.stock_code)
    return all(not names or part in names for names, part in zip(wanted, own, strict=True))
