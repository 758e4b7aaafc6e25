"""Find the stored names that a filter means."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from ..domain.partition_keys import PartitionKey
from ..domain.partition_selection import Selection, nearest_names
from ..domain.search import ChunkFilter, SearchFilter
from ..errors import NoDocumentHas
from ..search_ports import SearchableChunks


def chunk_filter(where: SearchFilter, chunks: SearchableChunks) -> ChunkFilter:
    """Spell the filter's names as they are stored. What does not limit the search is not looked up.

    Raises:
        InvalidPattern: a pattern does not have the form of a partition key.
        NothingMatches: it names partitions that are not known; the message has the nearest.
        NoDocumentHas: no document has such a period or language; the message has the nearest.
    """
    found = ChunkFilter()
    if where.partitions != Selection():
        found = _of_partitions(where.partitions, chunks.partitions())
    if not where.periods and not where.languages:
        return found
    known = chunks.periods_and_languages()
    return replace(
        found,
        periods=_spelled("--period", where.periods, {period for period, _ in known if period}),
        languages=_spelled("--language", where.languages, {language for _, language in known if language}),
    )


def _of_partitions(selection: Selection, known: Mapping[PartitionKey, int]) -> ChunkFilter:
    """Describe the selected partitions by as few columns as say which ones they are, else list them."""
    selected = set(selection.of(sorted(known)))
    chunks = sum(known[key] for key in selected)
    names = _Names(
        frozenset(key.market for key in selected),
        frozenset(key.doc_type for key in selected),
        frozenset(key.stock_code for key in selected),
    )
    if names.of(known) != selected:
        return ChunkFilter(partitions=tuple(sorted(selected)), chunks=chunks)
    for column in ("stock_codes", "doc_types", "markets"):  # the one with the most names first
        if (fewer := names._replace(**{column: frozenset()})).of(known) == selected:
            names = fewer
    markets, doc_types, stock_codes = (tuple(sorted(found)) for found in names)
    return ChunkFilter(markets, doc_types, stock_codes, chunks=chunks)


class _Names(NamedTuple):
    """Names of the three columns of a key; none in a column stands for all."""

    markets: frozenset[str]
    doc_types: frozenset[str]
    stock_codes: frozenset[str]

    def of(self, keys: Iterable[PartitionKey]) -> set[PartitionKey]:
        """Give the keys that have these names."""
        return {
            key
            for key in keys
            if (not self.markets or key.market in self.markets)
            and (not self.doc_types or key.doc_type in self.doc_types)
            and (not self.stock_codes or key.stock_code in self.stock_codes)
        }


def _spelled(option: str, names: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    wanted = {name.lower() for name in names}
    folded = {each.lower() for each in known}
    for name in names:
        if name.lower() not in folded:
            raise NoDocumentHas(option, name, nearest_names(name, known))
    return tuple(sorted(each for each in known if each.lower() in wanted))
