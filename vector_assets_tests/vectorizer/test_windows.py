"""Windows are read within their bounds and split into batches, and each batch says what comes after it."""

from uuid import UUID

import pytest

from vector_assets.domain.chunks import Chunk, ChunkSelection, ChunkWindow, TokenizedText, text_hash
from vector_assets.vectorizer import WINDOW_BATCHES
from vector_assets.vectorizer.embed_deadline import EmbedDeadline
from vector_assets.vectorizer.embedder_calls import EmbedderCalls
from vector_assets.vectorizer.windows import Batch, BatchSplitter, TokenizedChunk, Window, WindowReader

from ..fakes import KEY, HashEmbedder

PARTITION = ChunkSelection(partition=KEY)


class ListedChunks:
    """A chunk store that holds a list of texts, and records the size of each window that was asked for.

    It gives at most `most_chunks` at a time, as a store does whose texts are long.
    """

    def __init__(self, texts: list[str], most_chunks: int = 1_000_000) -> None:
        self.most_chunks = most_chunks
        self.chunks = [
            Chunk(UUID(int=n), KEY, "a.txt", n, text, text_hash(text)) for n, text in enumerate(texts, start=1)
        ]
        self.sizes: list[int] = []

    def read_window(self, selection: ChunkSelection, after_id: UUID, limit: int) -> ChunkWindow:
        self.sizes.append(limit)
        found = [chunk for chunk in self.chunks if chunk.id > after_id][: min(limit, self.most_chunks)]
        return ChunkWindow(found, found[-1].id if found and found[-1] != self.chunks[-1] else None)


def read(store: ListedChunks, batch_size: int, total: int, selection: ChunkSelection = PARTITION) -> list[Window]:
    """Read all windows of a selection."""
    reader = WindowReader(store, HashEmbedder(), batch_size, EmbedderCalls(EmbedDeadline("a model", 60.0), 60.0))
    return list(reader.read(selection, total))


def window(tokens: list[int], chunks_after: int = 0, seconds: float = 0.0) -> Window:
    """Make a window of chunks with these numbers of tokens."""
    chunks = [
        TokenizedChunk(Chunk(UUID(int=n), KEY, "a.txt", n, "", b""), TokenizedText("", count, count, 0))
        for n, count in enumerate(tokens)
    ]
    return Window(chunks, chunks_after, seconds, 2 * seconds)


def split(windows: list[Window], batch_size: int, concurrency: int = 1) -> list[Batch]:
    """Split windows into batches."""
    return list(BatchSplitter(batch_size, concurrency).split(iter(windows)))


def test_every_chunk_is_read_once_in_windows_by_falling_length() -> None:
    """A window is as long as `WINDOW_BATCHES` batches, the last one as long as what is left."""
    texts = ["word " * (n % 5 + 1) + str(n) for n in range(2 * WINDOW_BATCHES + 10)]
    store = ListedChunks(texts)

    windows = read(store, 1, len(texts))

    assert [len(found.chunks) for found in windows] == [WINDOW_BATCHES, WINDOW_BATCHES, 10]
    assert [found.chunks_after for found in windows] == [WINDOW_BATCHES + 10, 10, 0]
    assert sorted(chunk.chunk.text for found in windows for chunk in found.chunks) == sorted(texts)
    for found in windows:
        lengths = [chunk.tokens.tokens_embedded for chunk in found.chunks]
        assert lengths == sorted(lengths, reverse=True)


def test_no_more_chunks_are_read_than_asked_for() -> None:
    """Even if the selection has more."""
    store = ListedChunks([str(n) for n in range(100)])

    windows = read(store, 1, 70)

    assert [len(found.chunks) for found in windows] == [WINDOW_BATCHES, 70 - WINDOW_BATCHES]


def test_windows_may_be_shorter_than_asked_for() -> None:
    """Their texts would not fit into memory: the rest is in further windows, and each says how many come after it."""
    store = ListedChunks([str(n) for n in range(10)], most_chunks=4)

    windows = read(store, 8, 9)

    assert [len(found.chunks) for found in windows] == [4, 4, 1]
    assert [found.chunks_after for found in windows] == [5, 1, 0]


def test_fewer_chunks_than_were_counted_end_the_run() -> None:
    """Some were deleted, or another run has embedded them."""
    windows = read(ListedChunks([str(n) for n in range(70)]), 1, 80)

    assert [len(found.chunks) for found in windows] == [WINDOW_BATCHES, 70 - WINDOW_BATCHES]


@pytest.mark.parametrize(("batch_size", "size"), [(4, 256), (64, 4096), (256, 4096), (1024, 4096), (2048, 8192)])
def test_a_window_is_bounded_however_large_the_batches_are(batch_size: int, size: int) -> None:
    """4,096 chunks, or four batches if these are more."""
    store = ListedChunks(["a"])

    read(store, batch_size, 1_000_000)

    assert store.sizes == [size]


def test_a_window_of_ids_does_not_shrink_with_what_is_left() -> None:
    """Many of the ids may belong to current chunks, so few pending chunks do not mean that few ids are left."""
    store = ListedChunks(["a"])

    read(store, 4, 1, ChunkSelection(chunk_ids=(UUID(int=1),)))

    assert store.sizes == [4 * WINDOW_BATCHES]


def test_each_batch_says_what_comes_after_it() -> None:
    """Later windows are expected to be like the present one."""
    batches = split([window([5, 4, 3, 2, 1], chunks_after=4), window([8, 6, 4, 2])], batch_size=2)

    assert [len(batch.chunks) for batch in batches] == [2, 2, 1, 2, 2]
    assert [batch.batches_after for batch in batches] == [4, 3, 2, 1, 0]
    assert [batch.tokens_after for batch in batches] == [6 + 12, 1 + 12, 12, 6, 0]
    assert [batch.total_chunks for batch in batches] == [9] * 5


def test_the_total_follows_chunks_that_come_or_go() -> None:
    """A window says how many chunks are expected after it, which may differ from what was expected before."""
    batches = split([window([1, 1], chunks_after=6), window([1], chunks_after=5), window([1, 1])], batch_size=2)

    assert [batch.total_chunks for batch in batches] == [8, 8, 5]


@pytest.mark.parametrize(("concurrency", "sizes"), [(1, [4, 1]), (2, [3, 2]), (4, [2, 2, 1]), (9, [1, 1, 1, 1, 1])])
def test_the_last_window_is_shared_among_the_calls(concurrency: int, sizes: list[int]) -> None:
    """So that no call is idle while another has two batches to do."""
    batches = split([window([1] * 5)], batch_size=4, concurrency=concurrency)

    assert [len(batch.chunks) for batch in batches] == sizes


def test_the_seconds_of_all_windows_are_added_up() -> None:
    """Reading and tokenizing, each for itself."""
    splitter = BatchSplitter(2, 1)

    list(splitter.split(iter([window([1], 1, seconds=0.5), window([1], 0, seconds=0.25)])))

    assert (splitter.seconds.read, splitter.seconds.tokenize) == (0.75, 1.5)
