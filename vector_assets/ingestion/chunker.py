"""Text is split into chunks of at most so many tokens, at the best boundaries of English and Chinese."""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, Self

from tokenizers import Tokenizer

from ..domain.chunking import ChunkingRecipe
from ..domain.chunks import DocumentChunk
from ..errors import InvalidSetting
from .boundaries import Boundaries
from .line_wrapping import unwrap

_VERSION = 3
"""Increase this number when the same text is split differently. Then doctor says that a rechunk would change chunks."""

# The context line takes a quarter of a chunk at most. Smaller chunks than this have none.
_CONTEXT_SHARE = 4
_MIN_TOKENS_WITH_CONTEXT = 32
# Boundaries and tokens take many times the memory of their text. A longer text is first divided into blocks, at
# paragraphs if it has any.
BLOCK_CHARACTERS = 500_000
_BLOCK_ENDS = ("\n\n", "\f", "\n", "。", ". ", " ")
# A tokenizer may count a run of letters of any length as one unknown token, and white space as none. A token of English
# text has some 4 characters, one of Chinese text 1 to 2.
_CHARACTERS_PER_TOKEN = 16
_NOT_SPACE = re.compile(r"\S")


class Chunker:
    """Splits texts into chunks of at most `max_tokens` tokens of a tokenizer.

    `identity` is the name under which the database knows this recipe; None: the one that follows from it.

    Raises:
        InvalidSetting: the chunks would have no room for text.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int, identity: str | None = None) -> None:
        if max_tokens < 1:
            fix = "Raise it, or shorten EMBEDDING_DOCUMENT_PROMPT."
            raise InvalidSetting("VECTOR_ASSETS_CHUNK_TOKENS", "leaves no room for text beside the prompt", fix)
        self._tokenizer = tokenizer
        self._identity = identity
        self._max_tokens = max_tokens

    @classmethod
    def of(cls, recipe: ChunkingRecipe) -> Self:
        """Make the chunker of a stored recipe, which keeps its name: another version of this class changes no chunk."""
        return cls(Tokenizer.from_str(recipe.tokenizer), recipe.max_tokens, recipe.identity)

    @property
    def recipe(self) -> ChunkingRecipe:
        """What makes this chunker again."""
        return ChunkingRecipe(self.identity, self._tokenizer.to_str(), self._max_tokens)

    @cached_property
    def identity(self) -> str:
        """The name of the recipe. Chunkers with the same name split a text in the same way."""
        if self._identity is not None:
            return self._identity
        digest = hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()[:12]
        return f"v{_VERSION}-{self._max_tokens}-{digest}"

    def split(self, text: str, context: str = "", paged: bool = False) -> list[DocumentChunk]:
        """Return the chunks of the text in order, none of them blank.

        Each is a line with the context, shortened if it is long, and an unaltered slice of the text without the white
        space around it. A text that is not `paged` has page numbers if it has a form feed.
        """
        context_line = self._context_line(context)
        page_ends = [match.start() for match in re.finditer("\f", text)] if paged or "\f" in text else None
        return [
            DocumentChunk(context_line + text[start:end], start, end, _page(page_ends, start), _page(page_ends, end))
            for block_start, block in _blocks(text)
            for start, end in self._spans(block, block_start, context_line)
        ]

    def _context_line(self, context: str) -> str:
        context = " ".join(context.split())
        if not context or self._max_tokens < _MIN_TOKENS_WITH_CONTEXT:
            return ""
        most = self._max_tokens // _CONTEXT_SHARE
        end = _nth_token(self._token_starts(context), 0, most, len(context))
        while self._count(context[:end] + "\n") > most:
            end -= 1
        return context[:end].rstrip() + "\n"

    def _spans(self, text: str, text_start: int, context_line: str) -> Iterator[tuple[int, int]]:
        """Yield the offsets in the whole text at which the chunks of a block begin and end."""
        block = _Block(text, Boundaries(unwrap(text)), self._token_starts(text))
        start = _skip_space(text, 0)
        while start < len(text):
            end = self._end(block, start, context_line)
            yield text_start + start, text_start + start + len(text[start:end].rstrip())
            start = _skip_space(text, end)

    def _end(self, block: "_Block", start: int, context_line: str) -> int:
        """Return where the chunk from `start` ends best. It has at least one character, whatever its tokens."""
        room = self._max_tokens - self._count(context_line)
        while True:
            end = block.best_end(start, room)
            excess = self._count(context_line + block.text[start:end].rstrip()) - self._max_tokens
            if excess <= 0 or end == start + 1:
                return end
            # A slice may have more tokens alone than within the text.
            room = max(room - excess, 0)

    def _token_starts(self, text: str) -> list[int]:
        """Return the offset at which each token of the text begins, ascending."""
        return [start for start, _ in self._tokenizer.encode(text, add_special_tokens=False).offsets]

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0])


class _Block(NamedTuple):
    """A part of a text that is chunked at once."""

    text: str
    boundaries: Boundaries
    token_starts: Sequence[int]

    def best_end(self, start: int, tokens: int) -> int:
        """Return where a chunk of at most so many tokens of this text, and characters of so many tokens, ends best."""
        limit = _nth_token(self.token_starts, start, tokens, len(self.text))
        limit = min(limit, start + max(tokens * _CHARACTERS_PER_TOKEN, 1))
        return limit if limit == len(self.text) else self.boundaries.best_end(start, limit)


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    while start < len(text):
        end = _block_end(text, start)
        yield start, text[start:end]
        start = end


def _block_end(text: str, start: int) -> int:
    """Return the offset after the last boundary in the second half of a full block."""
    end = start + BLOCK_CHARACTERS
    if end >= len(text):
        return len(text)
    for boundary in _BLOCK_ENDS:
        found = text.rfind(boundary, start + BLOCK_CHARACTERS // 2, end)
        if found >= 0:
            return found + len(boundary)
    return end


def _nth_token(token_starts: Sequence[int], start: int, tokens: int, end: int) -> int:
    """Return the offset after so many tokens from `start`: at least one character further, at most `end`."""
    index = bisect_left(token_starts, start) + tokens
    return max(token_starts[index], start + 1) if index < len(token_starts) else end


def _skip_space(text: str, start: int) -> int:
    found = _NOT_SPACE.search(text, start)
    return found.start() if found else len(text)


def _page(page_ends: Sequence[int] | None, offset: int) -> int | None:
    """Return the number of the page on which this offset lies, from 1."""
    return None if page_ends is None else bisect_left(page_ends, offset) + 1
