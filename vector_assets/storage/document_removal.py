"""Finds and deletes documents, with all that was made of them."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import LiteralString, NamedTuple

from ..domain.partition_keys import PartitionKey
from .database import Database, repeatable
from .partition_columns import IN_PARTITION, partition_parameters

_PARTITIONS: LiteralString = """
SELECT market || '/' || doc_type || '/' || stock_code FROM documents
UNION SELECT partition FROM document_rejections WHERE partition <> '' ORDER BY 1
"""
_DOCUMENTS: LiteralString = f"""
SELECT source_uri, (SELECT count(*) FROM document_chunks c WHERE c.document_id = d.id)
FROM documents d WHERE {IN_PARTITION}
UNION ALL
SELECT source_uri, 0 FROM document_rejections r
WHERE partition = %(partition)s AND NOT EXISTS (SELECT FROM documents d WHERE d.source_uri = r.source_uri)
ORDER BY 1
"""
# Chunks go with their document, and vectors and places in queues with their chunk.
_DELETE: LiteralString = "DELETE FROM documents WHERE source_uri = ANY(%s)"
_DELETE_REJECTIONS: LiteralString = "DELETE FROM document_rejections WHERE source_uri = ANY(%s)"


class RemovableDocument(NamedTuple):
    """A document that is stored, or was rejected, with the number of its chunks."""

    source_uri: str
    partition: PartitionKey
    chunks: int


class DocumentRemoval:
    """Documents of any program, stored or rejected."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def partitions(self) -> list[PartitionKey]:
        """List the partitions that have documents or rejections, by key."""
        with self._database.transaction() as connection:
            return [PartitionKey.parse(row[0]) for row in connection.execute(_PARTITIONS)]

    @repeatable
    def documents(self, partitions: Sequence[PartitionKey], name: str = "*") -> list[RemovableDocument]:
        """List the documents of the partitions whose file name matches the glob pattern, in any letter case."""
        found: list[RemovableDocument] = []
        with self._database.transaction() as connection:
            for partition in partitions:
                parameters = {**partition_parameters(partition), "partition": str(partition)}
                rows = connection.execute(_DOCUMENTS, parameters).fetchall()
                found.extend(RemovableDocument(source_uri, partition, chunks) for source_uri, chunks in rows)
        return [item for item in found if fnmatchcase(PurePosixPath(item.source_uri).name.lower(), name.lower())]

    @repeatable
    def remove(self, documents: Sequence[RemovableDocument]) -> None:
        """Delete the documents, their chunks, and their vectors in every space: all of them or none."""
        source_uris = [item.source_uri for item in documents]
        with self._database.transaction() as connection:
            connection.execute(_DELETE, (source_uris,))
            connection.execute(_DELETE_REJECTIONS, (source_uris,))
