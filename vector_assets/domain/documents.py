"""Documents, documents that cannot be used, and the changes to the chunks of a document."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from .partition_keys import PartitionKey


@dataclass(frozen=True)
class DocumentText:
    """What was read of a file. `warning` says in a sentence or two what of it could not be read, and the fix."""

    text: str
    warning: str = ""


@dataclass(frozen=True)
class Document:
    """One filing of one issuer, with its text.

    `source_uri` is the path under the landing directory, with `/`. It identifies the document permanently.
    `fingerprint` shows whether the file has changed, without reading it. `warning` says what of the file could not be
    read. `landing_root` is the landing directory from which it was read.
    """

    source_uri: str
    partition: PartitionKey
    company_name: str
    title: str
    period: str
    language: str
    text: str
    fingerprint: str
    warning: str = ""
    landing_root: str = ""


@dataclass(frozen=True)
class KnownDocument:
    """What the store knows of a document that was read or rejected before. A rejection has the newer fingerprint.

    Without a fingerprint the document is another program's. `landing_root` and `warning` are those of its text.
    """

    fingerprint: str
    landing_root: str = ""
    warning: str = ""


@dataclass(frozen=True)
class DocumentRejection:
    """A document that cannot be used, with one line that says why and how to fix it."""

    source_uri: str
    partition: PartitionKey | None
    error: str
    message: str
    fingerprint: str = ""


@dataclass(frozen=True)
class StoredDocument:
    """A document's identity in the store, with all that its chunks are made of."""

    id: UUID
    source_uri: str
    partition: PartitionKey
    company_name: str
    title: str
    period: str
    text: str


@dataclass(frozen=True)
class ChunksToReplace:
    """The number of chunks of a partition, and of each document in it that will be chunked (document id -> chunks).

    Documents without chunks are left out, because chunking them deletes nothing.
    """

    partition: int
    documents: Mapping[UUID, int]


@dataclass(frozen=True)
class ChunkChanges:
    """The changes that chunking made to the chunks of a document or a partition."""

    unchanged: int = 0
    added: int = 0
    removed: int = 0

    def __add__(self, other: "ChunkChanges") -> "ChunkChanges":
        return ChunkChanges(self.unchanged + other.unchanged, self.added + other.added, self.removed + other.removed)
