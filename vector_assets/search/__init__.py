"""Answers questions: dense and lexical candidates, fused and filtered, as hits with their source."""

from .filings_search import FilingsSearch
from .search import OneSpace, Search, Searcher
from .term_filler import TermFiller

__all__ = ["FilingsSearch", "OneSpace", "Search", "Searcher", "TermFiller"]
