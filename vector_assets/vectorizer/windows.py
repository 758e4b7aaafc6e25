"""Windows of chunks are read ahead of the embedder and split into batches of similar length."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..domain.chunks import BEFORE_ALL_CHUNKS, Chunk, ChunkSelection, TokenizedText
from ..errors import BlankChunk, EmbedderBusy, EmbedderUnavailable
from ..ports import ChunkStore, Embedder
from .embedder_calls import EmbedderCalls
from .halving import attempt_halving

# Batches in a window. Lengths within 64 batches of 32 are mixed enough that sorting them leaves little padding, and
# 2,048 chunks with their tokens are a few MB, however large the partition is.
WINDOW_BATCHES = 64

# With large batches a window grows no further than this, or than four batches: memory follows the window.
_MAX_WINDOW_CHUNKS = 4096


def is_blank(text: str) -> bool:
    """Return whether a text has nothing but white space and characters without a shape."""
    return not any(character.isprintable() and not character.isspace() for character in text)


class TokenizedChunk(NamedTuple):
    """A chunk as the model will see it. A chunk that could not be tokenized has no tokens but the error."""

    chunk: Chunk
    tokens: TokenizedText
    error: Exception | None = None


@dataclass(frozen=True)
class Window:
    """Chunks by falling length, the number of chunks expected after them, and the seconds that they took."""

    chunks: list[TokenizedChunk]
    chunks_after: int
    read_seconds: float
    tokenize_seconds: float


@dataclass(frozen=True)
class Batch:
    """The chunks of one embed-and-commit step.

    `total_chunks` are those of the whole run, as far as this is known when the window is read. `batches_after` and
    `tokens_after` are expected after this batch.
    """

    chunks: list[TokenizedChunk]
    total_chunks: int
    batches_after: int
    tokens_after: float


@dataclass
class WindowSeconds:
    """Seconds that the windows took to `read` and to `tokenize`, and seconds of `wait` in which none was ready.

    Only the thread that takes the batches writes them. They are complete when the last batch was taken.
    """

    read: float = 0.0
    tokenize: float = 0.0
    wait: float = 0.0


class WindowReader:
    """Reads the chunks of a run window by window, and tokenizes them."""

    def __init__(self, chunks: ChunkStore, embedder: Embedder, batch_size: int, calls: EmbedderCalls) -> None:
        self._chunks = chunks
        self._embedder = embedder
        self._batch_size = batch_size
        self._calls = calls

    def read(self, selection: ChunkSelection, total_chunks: int) -> Iterator[Window]:
        """Read `total_chunks` of the selection. If more became pending since they were counted, some wait."""
        chunks_left, resume_after = total_chunks, BEFORE_ALL_CHUNKS
        while chunks_left > 0:
            size = self._window_size(selection, chunks_left)
            started = time.perf_counter()
            window = self._chunks.read_window(selection, resume_after, size)
            read_at = time.perf_counter()
            chunks = self._tokenize_all(window.chunks)
            # Longest first: chunks of similar length share a batch, and a batch that is too large for the memory fails
            # at the start of the run.
            chunks.sort(key=lambda chunk: -chunk.tokens.tokens_embedded)
            chunks_left -= len(chunks)
            if chunks:
                yield Window(chunks, max(chunks_left, 0), read_at - started, time.perf_counter() - read_at)
            if window.resume_after is None:
                return
            resume_after = window.resume_after

    def _window_size(self, selection: ChunkSelection, chunks_left: int) -> int:
        size = min(WINDOW_BATCHES * self._batch_size, max(_MAX_WINDOW_CHUNKS, 4 * self._batch_size))
        # Of a selection by ids, many chunks may be current, so a whole window of ids is looked at.
        return size if selection.partition is None else min(size, chunks_left)

    def _tokenize_all(self, chunks: Sequence[Chunk]) -> list[TokenizedChunk]:
        """Tokenize the chunks. A chunk that cannot be tokenized keeps its error and fails later, in its batch."""
        blank: list[tuple[Chunk, Exception]] = [(chunk, BlankChunk()) for chunk in chunks if is_blank(chunk.text)]
        written = [chunk for chunk in chunks if not is_blank(chunk.text)] if blank else chunks
        not_of_chunks = (EmbedderBusy, EmbedderUnavailable)
        tokenized, failed = attempt_halving(written, self._tokenize, not_of_chunks) if written else ([], [])
        without_tokens = [
            TokenizedChunk(chunk, TokenizedText(chunk.text, 0, 0, 0), error) for chunk, error in [*blank, *failed]
        ]
        return [TokenizedChunk(chunk, tokens) for chunk, tokens in tokenized] + without_tokens

    def _tokenize(self, chunks: Sequence[Chunk]) -> list[TokenizedText]:
        return self._calls.call(lambda: self._embedder.tokenize([chunk.text for chunk in chunks]))


class BatchSplitter:
    """Splits windows into batches of at most `batch_size` chunks.

    `concurrency` is how many batches the embedder works on at the same time. `seconds` adds up what the windows took.
    """

    def __init__(self, batch_size: int, concurrency: int) -> None:
        self._batch_size = batch_size
        self._concurrency = concurrency
        self.seconds = WindowSeconds()

    def split(self, windows: Iterator[Window]) -> Generator[Batch]:
        """Split each window. Chunks may have come or gone since the plan, and the total of each batch follows that."""
        chunks_read = 0
        while (window := self._next_window(windows)) is not None:
            chunks_read += len(window.chunks)
            yield from self._split_window(window, chunks_read + window.chunks_after)

    def _next_window(self, windows: Iterator[Window]) -> Window | None:
        started = time.perf_counter()
        window = next(windows, None)
        self.seconds.wait += time.perf_counter() - started
        if window is not None:
            self.seconds.read += window.read_seconds
            self.seconds.tokenize += window.tokenize_seconds
        return window

    def _split_window(self, window: Window, total_chunks: int) -> Iterator[Batch]:
        tokens_left = _tokens(window.chunks)
        tokens_in_later_windows = window.chunks_after * tokens_left / len(window.chunks)
        size = self._batch_size
        if not window.chunks_after:  # the last chunks are shared among the calls that the embedder makes at once
            size = min(size, -(-len(window.chunks) // self._concurrency))
        starts = range(0, len(window.chunks), size)
        batches_left = len(starts) - (-window.chunks_after // size)
        for start in starts:
            chunks = window.chunks[start : start + size]
            batches_left -= 1
            tokens_left -= _tokens(chunks)
            yield Batch(chunks, total_chunks, batches_left, tokens_left + tokens_in_later_windows)


def _tokens(chunks: Sequence[TokenizedChunk]) -> int:
    return sum(chunk.tokens.tokens_embedded for chunk in chunks)
