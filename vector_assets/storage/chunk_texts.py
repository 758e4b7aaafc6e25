"""The texts of a partition's chunks, for the audit: all of a small partition, else those that changed and a sample."""

from collections.abc import Iterator, Sequence
from typing import LiteralString
from uuid import UUID

from ..domain.chunks import BEFORE_ALL_CHUNKS
from ..domain.partition_keys import PartitionKey
from ..quality.partition_facts import ChunkText
from .database import Database, repeatable
from .partition_columns import CHUNK_IN_PARTITION, IN_PARTITION, partition_parameters
from .partition_samples import SAMPLE_CHUNKS, SAMPLED_CHUNKS, sample_parameters

_COUNT: LiteralString = f"SELECT coalesce(sum(chunks), 0)::bigint FROM chunk_counts WHERE {IN_PARTITION}"

_OF_PARTITION: LiteralString = f"""
SELECT c.id, d.source_uri, c.chunk_index, c.text
FROM document_chunks c JOIN documents d ON d.id = c.document_id
WHERE {CHUNK_IN_PARTITION} AND c.id > %(after)s ORDER BY c.id LIMIT %(limit)s
"""
_OF_DOCUMENT: LiteralString = """
SELECT c.id, d.source_uri, c.chunk_index, c.text
FROM document_chunks c JOIN documents d ON d.id = c.document_id
WHERE c.document_id = %(document)s AND c.chunk_index > %(after)s ORDER BY c.chunk_index LIMIT %(limit)s
"""

# Chunks read at a time: about a megabyte of text.
_WINDOW = 1000
# Documents drawn for the sample. They are read until the sample has enough chunks, mostly far earlier.
_MOST_DOCUMENTS = 100


class PostgresChunkTexts:
    """The `ChunkTextStore` port. No transaction stays open between two windows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def count(self, partition: PartitionKey) -> int:
        """Count the partition's chunks."""
        with self._database.transaction() as connection:
            row = connection.execute(_COUNT, partition_parameters(partition)).fetchone()
        return int(row[0]) if row else 0

    def texts(self, partition: PartitionKey, changed: Sequence[UUID], seed: str) -> Iterator[ChunkText]:
        """Read a small partition whole. Of a larger one, read the changed documents, then some that the seed draws.

        Documents are read whole, as far as the sample has room, so that each can be judged.
        """
        if self.count(partition) <= SAMPLE_CHUNKS:
            yield from self._partition(partition)
            return
        for document in changed:
            yield from self._document(document)
        room = SAMPLE_CHUNKS
        for document in self._sampled_documents(partition, seed):
            if document not in changed:
                chunks = list(self._document(document, room))
                yield from chunks
                room -= len(chunks)

    def _partition(self, partition: PartitionKey) -> Iterator[ChunkText]:
        after, more = BEFORE_ALL_CHUNKS, True
        while more:
            window = self._window(_OF_PARTITION, {**partition_parameters(partition), "after": after, "limit": _WINDOW})
            yield from window
            more = len(window) == _WINDOW
            after = window[-1].id if window else after

    def _document(self, document: UUID, most: int | None = None) -> Iterator[ChunkText]:
        after, left = -1, most
        while left is None or left > 0:
            limit = _WINDOW if left is None else min(left, _WINDOW)
            window = self._window(_OF_DOCUMENT, {"document": document, "after": after, "limit": limit})
            yield from window
            if len(window) < limit:
                return
            after = window[-1].chunk_index
            left = None if left is None else left - len(window)

    @repeatable
    def _window(self, query: LiteralString, parameters: dict[str, object]) -> list[ChunkText]:
        with self._database.transaction() as connection:
            return [ChunkText(*row) for row in connection.execute(query, parameters)]

    @repeatable
    def _sampled_documents(self, partition: PartitionKey, seed: str) -> list[UUID]:
        """Draw documents, longer ones more often; each is listed once."""
        parameters = sample_parameters(partition, seed, _MOST_DOCUMENTS)
        with self._database.transaction() as connection:
            drawn = [document for _, document in connection.execute(SAMPLED_CHUNKS, parameters)]
        return list(dict.fromkeys(drawn))
