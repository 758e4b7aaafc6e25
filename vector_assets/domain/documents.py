"""Documents, and what became of their chunks when they were chunked again."""

from collections.abc import Mapping
from dataclasses import dataclass

from .partition_keys import PartitionKey


@dataclass(frozen=True)
class Document:
    """One filing of one issuer, with its text.

    `source_uri` is the path under the landing directory, with `/`; it names the document for ever.
    `fingerprint` changes when the file does, and is made without reading it.
    """

    source_uri: str
    partition: PartitionKey
    company_name: str
    title: str
    period: str
    language: str
    text: str
    fingerprint: str


@dataclass(frozen=True)
class DocumentRejection:
    """A document that could not be used, and the one line that says why and how to fix it."""

    source_uri: str
    partition: PartitionKey | None
    error: str
    message: str
    fingerprint: str = ""


@dataclass(frozen=True)
class StoredDocument:
    """A document's identity in the store, with the text that is chunked."""

    id: int
    source_uri: str
    text: str


@dataclass(frozen=True)
class ChunksToReplace:
    """How many chunks a partition has, and each of its documents that is to be chunked (id -> chunks).

    Documents without chunks are left out: chunking them deletes nothing.
    """

    partition: int
    documents: Mapping[int, int]


@dataclass(frozen=True)
class ChunkChanges:
    """What chunking again did to the chunks of a document or a partition."""

    unchanged: int = 0
    added: int = 0
    removed: int = 0

    def __add__(self, other: "ChunkChanges") -> "ChunkChanges":
        return ChunkChanges(self.unchanged + other.unchanged, self.added + other.added, self.removed + other.removed)
