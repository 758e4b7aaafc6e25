"""Answers questions: dense and lexical candidates, fused and filtered, as hits with their source."""

from .search import OneSpace, Search, Searcher
from .term_filler import TermFiller

__all__ = ["OneSpace", "Search", "Searcher", "TermFiller"]
