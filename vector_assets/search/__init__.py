"""Answers questions: dense and lexical candidates, fused and filtered, as hits with their source."""

from ..domain.partition_selection import Selection
from ..domain.search import SearchFilter
from .filings_search import FilingsSearch
from .search import OneSpace, Search, Searcher
from .term_filler import TermFiller

__all__ = ["FilingsSearch", "OneSpace", "Search", "SearchFilter", "Searcher", "Selection", "TermFiller"]
