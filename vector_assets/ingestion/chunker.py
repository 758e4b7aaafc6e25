"""Text is split into chunks that fit the model, at paragraphs and sentences of English and Chinese."""

import hashlib
import re
from collections.abc import Iterator
from functools import cached_property
from statistics import quantiles
from typing import Self

from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from ..domain.chunking import ChunkingRecipe
from ..errors import InvalidSetting

_VERSION = 2
"""Increase this number when the same text is split differently. Then doctor says that a rechunk would change chunks."""

_LINES = re.compile(r"[^\n\f]*[\n\f]|[^\n\f]+")
# On a page with wrapped lines, nine in ten lines are no longer than this (about 45 characters on Chinese pages, and at
# most about 160 on English ones). Text with longer lines has one paragraph in each line.
_MAX_LINE_WIDTH = 240
# A line that fills this share of the line width was broken by the page, not by the writer.
_FULL_LINE_SHARE = 0.75
# The time of the splitter grows with the square of the length of a text without any boundary. Blocks of this length
# take a second or two. A longer text is first divided into blocks, at paragraphs if it has any.
BLOCK_CHARACTERS = 100_000
_BLOCK_ENDS = ("\n\n", "\n", "。", ". ", " ")
_SENTENCE_CONTINUES = ",，、&/-–—"


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
        self._splitter = TextSplitter.from_huggingface_tokenizer(tokenizer, max_tokens)

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

    def split(self, text: str) -> list[str]:
        """Return the chunks of the text in order: unaltered slices, stripped of white space, none of them blank."""
        # The splitter looks for sentences in a copy in which wrapped lines are joined. The copy is as long as the text,
        # so its offsets are valid in the text.
        unwrapped = unwrap(text)
        chunks = []
        for block_start, block in _blocks(unwrapped):
            for piece_start, piece in self._splitter.chunk_indices(block):
                start = block_start + piece_start
                original = text[start : start + len(piece)].strip()
                if original:
                    chunks.extend(self._split_again(original))
        return chunks

    def _split_again(self, chunk: str) -> list[str]:
        """Split a chunk again if it is too long with its true line breaks, which may need more tokens than spaces."""
        if "\n" not in chunk and "\f" not in chunk:
            return [chunk]
        if len(self._tokenizer.encode(chunk, add_special_tokens=False).ids) <= self._max_tokens:
            return [chunk]
        return list(self._splitter.chunks(chunk))


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


def unwrap(text: str) -> str:
    """Return a copy of the text, equally long, with a space for each line break or page break inside a sentence.

    Other page breaks become line breaks. The rows of tables stay apart, because they end in figures or are short.
    """
    lines = _LINES.findall(text)
    lengths = [len(line.rstrip()) for line in lines if line.strip()]
    if len(lengths) < 2:
        return text.replace("\f", "\n")
    line_width = quantiles(lengths, n=10)[-1]
    if line_width > _MAX_LINE_WIDTH:
        return text.replace("\f", "\n")
    return "".join(_unwrapped(lines, _FULL_LINE_SHARE * line_width))


def _unwrapped(lines: list[str], full_length: float) -> Iterator[str]:
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        content = line.rstrip()
        ends_in_sentence = content[-1:].isalpha() or content[-1:] in _SENTENCE_CONTINUES
        if content and len(content) >= full_length and ends_in_sentence and following.strip():
            yield content + " " * (len(line) - len(content))
        else:
            yield line.replace("\f", "\n")
