"""The texts that the audit reads: all of a small partition, else what changed and a bounded sample."""

import pytest

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.storage.chunk_texts import PostgresChunkTexts
from vector_assets.storage.database import Database

from ..fakes import KEY, rows, store_chunks

OTHER = PartitionKey("cn", "announcement", "999001")


def test_a_small_partition_is_read_whole(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Window by window: all of it once, also where the last window is full."""
    monkeypatch.setattr("vector_assets.storage.chunk_texts._WINDOW", 3)
    store_chunks(database, list("abcdef"))
    texts = PostgresChunkTexts(database)

    assert [chunk.text for chunk in texts.texts(KEY, (), "run 1")] == list("abcdef")
    assert (texts.count(KEY), list(texts.texts(OTHER, (), "run 1"))) == (6, [])


def test_of_a_larger_one_what_changed_is_read_and_as_many_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other documents for another run; each document whole while there is room, and none of them twice."""
    monkeypatch.setattr("vector_assets.storage.chunk_texts._WINDOW", 3)
    monkeypatch.setattr("vector_assets.storage.chunk_texts.SAMPLE_CHUNKS", 8)
    for number in range(12):
        store_chunks(database, [f"{number} {index}" for index in range(4)], name=f"{number}.txt")
    changed = [rows(database, "SELECT id FROM documents WHERE source_uri LIKE '%%/7.txt'")[0][0]]
    texts = PostgresChunkTexts(database)

    read = [chunk.text for chunk in texts.texts(KEY, changed, "run 1")]

    assert read[:4] == ["7 0", "7 1", "7 2", "7 3"]
    assert (len(read), len(set(read)), len({text.split()[0] for text in read})) == (12, 12, 3)
    assert read != [chunk.text for chunk in texts.texts(KEY, changed, "run 2")]
