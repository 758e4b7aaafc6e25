"""Ways to chunk a document that are compared: the product's, and variants that the product does not offer."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tokenizers import Tokenizer

from vector_assets.domain.chunks import DocumentChunk
from vector_assets.domain.documents import StoredDocument
from vector_assets.ingestion.chunker import Chunker
from vector_assets.ingestion.context import context_of
from vector_assets.ingestion.line_ends import is_numbered_heading
from vector_assets.ingestion.line_wrapping import unwrap

Context = Literal["document", "headings", "none"]
_LINE = re.compile(r"[^\n\f]+")
# The longest heading of a path in characters, and the tokens that chunks leave free for the path.
_HEADING_CHARACTERS = 60
_HEADING_TOKENS = 24
_LEVELS = (r"part\b|第.{1,5}[章节節部]", r"item\b|[一二三四五六七八九十]+[、．.]")


@dataclass(frozen=True)
class Chunking:
    """A size in tokens with special tokens and prompt, as in VECTOR_ASSETS_CHUNK_TOKENS, and what each chunk repeats.

    Each chunk begins with the last `overlap` tokens of the chunk before. The context is a line with the company, the
    title and the period, as the product has it; the same with the headings above the chunk; or none.
    """

    tokens: int
    overlap: int = 0
    context: Context = "document"

    def __str__(self) -> str:
        context = {"document": "", "headings": ", headings", "none": ", no context"}[self.context]
        return f"{self.tokens}{f' + {self.overlap}' if self.overlap else ''}{context}"

    def texts(self, document: StoredDocument, tokenizer: Tokenizer, room: int) -> list[str]:
        """Return the texts of the chunks; `room` is the tokens that the chunking's size leaves to a chunk's text."""
        room -= self.overlap + (_HEADING_TOKENS if self.context == "headings" else 0)
        context = "" if self.context == "none" else context_of(document)
        chunks = Chunker(tokenizer, room).split(document.text, context)
        repeated = _overlaps(document.text, chunks, tokenizer, self.overlap)
        paths = _paths(document.text, chunks) if self.context == "headings" else [""] * len(chunks)
        return [_text(chunk, path, overlap) for chunk, path, overlap in zip(chunks, paths, repeated, strict=True)]


def _text(chunk: DocumentChunk, path: str, overlap: str) -> str:
    end_of_line = len(chunk.text) - (chunk.char_to - chunk.char_from)
    context_line, piece = chunk.text[:end_of_line], chunk.text[end_of_line:]
    return (f"{context_line.rstrip()} > {path}\n" if path else context_line) + overlap + piece


def _overlaps(text: str, chunks: Sequence[DocumentChunk], tokenizer: Tokenizer, tokens: int) -> Iterator[str]:
    """Yield what each chunk repeats of the one before: whole words, in these tokens at most."""
    token_starts = [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]
    former_start = 0
    for chunk in chunks:
        first_token = max(bisect_left(token_starts, chunk.char_from) - tokens, 0)
        repeated = text[max(token_starts[first_token], former_start) : chunk.char_from]
        whole_words = re.search(r"(?:\s|[。，；])(.*)", repeated, re.DOTALL)
        yield whole_words[1] if whole_words and tokens else ""
        former_start = chunk.char_from


def _paths(text: str, chunks: Sequence[DocumentChunk]) -> Iterator[str]:
    """Yield the headings above each chunk, those of the document first."""
    paths = [(-1, ""), *_heading_paths(text)]
    offsets = [offset for offset, _ in paths]
    for chunk in chunks:
        yield paths[bisect_right(offsets, chunk.char_from - 1) - 1][1]


def _heading_paths(text: str) -> Iterator[tuple[int, str]]:
    """Yield the offset of each numbered heading, and the path down to it."""
    path: dict[int, str] = {}
    for match in _LINE.finditer(unwrap(text)):
        line = match[0].strip()
        if line and is_numbered_heading(line):
            level = _level(line)
            path = {above: heading for above, heading in path.items() if above < level}
            path[level] = line[:_HEADING_CHARACTERS]
            yield match.start(), " > ".join(path.values())


def _level(heading: str) -> int:
    if marks := re.match("#+", heading):
        return len(marks[0])
    matching = (level for level, form in enumerate(_LEVELS, 1) if re.match(form, heading, re.IGNORECASE))
    return next(matching, len(_LEVELS) + 1)
