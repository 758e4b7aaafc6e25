"""Estimates the tokens of texts for a model whose tokenizer is not at hand, and learns from what the server counts."""

import math
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

from tokenizers import Tokenizer

from ...domain.chunks import TokenizedText

# Tokens a character before the server has counted any: between the vocabularies of the well-known models.
_HAN_TOKENS = 0.9
_OTHER_TOKENS = 0.3
_SPECIAL_TOKENS = 2
# How far one answer moves the estimate, and how far all of them may. A server may count wrongly, or not at all.
_LEARNING = 0.2
_MOST = 4.0
_FIRST_HAN = "\u2e80"
"""Han characters, their punctuation, kana and hangul follow; tokenizers spell them one by one or in pairs."""


class _Characters(NamedTuple):
    han: int
    other: int


class TokenEstimate:
    """Counts tokens by characters: so many a Chinese character, so many any other. Threads may share it.

    Args:
        document_prompt: stands before each document.
        max_tokens: the most tokens of a text.
        make_tokenizer: makes the tokenizer by which documents are chunked: the model's own is not known.
    """

    def __init__(self, document_prompt: str, max_tokens: int, make_tokenizer: Callable[[], Tokenizer]) -> None:
        self._document_prompt = document_prompt
        self._max_tokens = max_tokens
        self._make_tokenizer = make_tokenizer
        self._han, self._other = _HAN_TOKENS, _OTHER_TOKENS
        self._lock = threading.Lock()

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer by which documents are chunked where the database has none yet."""
        return self._make_tokenizer()

    @property
    def room_for_text(self) -> int:
        """Tokens of a document's text that fit the model beside its special tokens and the prompt."""
        return self._max_tokens - self._count(self._document_prompt)

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Count each text with the document prompt before it, in order. Which tokens are unknown cannot be known."""
        counts = [self._count(self._document_prompt + text) for text in texts]
        return [
            TokenizedText(text, count, min(count, self._max_tokens), 0)
            for text, count in zip(texts, counts, strict=True)
        ]

    def learn(self, texts: Sequence[str], tokens: int) -> None:
        """Note how many tokens the server counted in these texts, prompts included."""
        found = [_characters(text) for text in texts]
        han, other = sum(item.han for item in found), sum(item.other for item in found)
        with self._lock:
            expected = self._han * han + self._other * other
            counted = tokens - _SPECIAL_TOKENS * len(texts)
            if expected <= 0 or counted <= 0:
                return
            change = _LEARNING * (counted / expected - 1)
            share = self._han * han / expected
            self._han = _bounded(self._han * (1 + change * share), _HAN_TOKENS)
            self._other = _bounded(self._other * (1 + change * (1 - share)), _OTHER_TOKENS)

    def _count(self, text: str) -> int:
        han, other = _characters(text)
        return math.ceil(self._han * han + self._other * other) + _SPECIAL_TOKENS


def _characters(text: str) -> _Characters:
    # In ASCII, which is most of it, nothing needs to be looked at.
    han = 0 if text.isascii() else sum(character >= _FIRST_HAN for character in text)
    return _Characters(han, len(text) - han)


def _bounded(value: float, first: float) -> float:
    return min(max(value, first / _MOST), first * _MOST)
