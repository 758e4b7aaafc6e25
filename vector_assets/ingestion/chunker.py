"""Cuts text into chunks that fit the model, at paragraphs and sentences of English and Chinese."""

import hashlib
import re
from collections.abc import Iterator
from functools import cached_property
from statistics import quantiles

from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from ..errors import InvalidSetting

_VERSION = 2
"""Raised when the same text is cut elsewhere, so that every document is cut again."""

_LINE = re.compile(r"[^\n\f]*[\n\f]|[^\n\f]+")
# Nine in ten lines of a page set to a measure are no longer than this (Chinese pages: about 45, English ones: about
# 160 at most); text with longer lines has one paragraph a line.
_LONGEST_MEASURE = 240
# A line that fills this share of the measure was broken by the page, not by the writer.
_FULL = 0.75
# The splitter's time grows with the square of a text that has nothing to cut at; up to here it is a second or two. What
# is cut here is cut at a paragraph, where there is one.
_BLOCK = 100_000
_BLOCK_ENDS = ("\n\n", "\n", "。", ". ", " ")
_GOES_ON = ",，、&/-–—"


class Chunker:
    """Cuts texts into chunks of at most `room` tokens of the model's own tokenizer.

    Raises:
        InvalidSetting: nothing would fit.
    """

    def __init__(self, tokenizer: Tokenizer, room: int) -> None:
        if room < 1:
            mend = "Raise it, or shorten EMBEDDING_DOCUMENT_PROMPT."
            raise InvalidSetting("VECTOR_ASSETS_CHUNK_TOKENS", "leaves no room for text beside the prompt", mend)
        self._tokenizer = tokenizer
        self._room = room
        self._splitter = TextSplitter.from_huggingface_tokenizer(tokenizer, room)

    @cached_property
    def identity(self) -> str:
        """Names what cuts: chunkers of one identity cut a text alike."""
        digest = hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()[:12]
        return f"v{_VERSION}-{self._room}-{digest}"

    def split(self, text: str) -> list[str]:
        """Slices of the text in its order, unaltered but for white space at both ends; none is blank."""
        # The splitter looks for sentences in a copy whose lines go on where the page had broken them; the copy is as
        # long as the text, so its places are the text's.
        unwrapped = unwrap(text)
        chunks = []
        for block_start, block in _blocks(unwrapped):
            for piece_start, piece in self._splitter.chunk_indices(block):
                start = block_start + piece_start
                original = text[start : start + len(piece)].strip()
                if original:
                    chunks.extend(self._refit(original))
        return chunks

    def _refit(self, chunk: str) -> list[str]:
        """Cut again where the true line breaks cost tokens that the copy's spaces did not."""
        if "\n" not in chunk and "\f" not in chunk:
            return [chunk]
        if len(self._tokenizer.encode(chunk, add_special_tokens=False).ids) <= self._room:
            return [chunk]
        return list(self._splitter.chunks(chunk))


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    while start < len(text):
        end = _block_end(text, start)
        yield start, text[start:end]
        start = end


def _block_end(text: str, start: int) -> int:
    """After the last good place to cut in the second half of a full block."""
    end = start + _BLOCK
    if end >= len(text):
        return len(text)
    for mark in _BLOCK_ENDS:
        found = text.rfind(mark, start + _BLOCK // 2, end)
        if found >= 0:
            return found + len(mark)
    return end


def unwrap(text: str) -> str:
    """The text, equally long, with a space for each line or page break inside a sentence.

    Other page breaks become line breaks. Rows of tables keep theirs: they end in figures, or short of the measure.
    """
    lines = _LINE.findall(text)
    lengths = [len(line.rstrip()) for line in lines if line.strip()]
    if len(lengths) < 2:
        return text.replace("\f", "\n")
    measure = quantiles(lengths, n=10)[-1]
    if measure > _LONGEST_MEASURE:
        return text.replace("\f", "\n")
    return "".join(_unwrapped(lines, _FULL * measure))


def _unwrapped(lines: list[str], full: float) -> Iterator[str]:
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        content = line.rstrip()
        goes_on = len(content) >= full and (content[-1:].isalpha() or content[-1:] in _GOES_ON) and following.strip()
        if goes_on and content:
            yield content + " " * (len(line) - len(content))
        else:
            yield line.replace("\f", "\n")
