"""The landing directory: the documents in it, and the files that cannot be used because of their place or kind."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..domain.documents import DocumentRejection
from ..domain.partition_keys import PartitionKey
from ..domain.wording import readable_bytes
from ..errors import (
    DocumentError,
    DocumentTooLarge,
    InvalidPartitionKey,
    LandingDirectoryMissing,
    ManifestRowWithoutFile,
    MisplacedDocument,
    OutsideLandingDirectory,
    UnreadableDocument,
    UnsupportedFormat,
)
from .document_limits import MAX_FILE_BYTES
from .manifest import MANIFEST, ManifestFile, ManifestRow, portable_path
from .readers import FORMATS, READERS_VERSION
from .safe_open import OutsideFolder, open_below

# PostgreSQL can index names of about 2,700 bytes. The path of a document in its place is much shorter.
_MAX_NAME_BYTES = 2_000
# Before everything that happened.
NEVER = datetime.min.replace(tzinfo=UTC)
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class LandedDocument:
    """A file in the folder of a partition. `source_uri` is its path under the landing directory, with `/`."""

    source_uri: str
    path: Path
    partition: PartitionKey
    fingerprint: str
    row: ManifestRow | None


@dataclass
class LandingScan:
    """The files found in the landing directory, by path: documents to read, and files that cannot be used.

    `manifest_rows` counts all rows of the manifest.
    """

    documents: list[LandedDocument] = field(default_factory=list)
    rejections: list[DocumentRejection] = field(default_factory=list)
    manifest_rows: int = 0

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of every file that was found, by source_uri."""
        documents = {item.source_uri: item.fingerprint for item in self.documents}
        return documents | {item.source_uri: item.fingerprint for item in self.rejections}


class LandingDirectory:
    """The folder with `market/doc_type/stock_code/<file>` and an optional manifest.csv. Nothing outside it is read."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._manifest = ManifestFile(self.root)

    @property
    def name(self) -> str:
        """Its path, as the database stores it."""
        return _storable(str(self.root))

    @property
    def manifest_rows(self) -> int:
        """The number of rows of its manifest."""
        return len(self._manifest.rows())

    def changed_at(self, documents: Iterable[LandedDocument]) -> dict[PartitionKey, datetime]:
        """Read when the newest of the documents of each partition changed: its file, or the manifest that names it.

        A file that is gone by now counts for nothing.
        """
        manifest = _change_time(self.root / MANIFEST)
        newest: dict[PartitionKey, datetime] = {}
        for item in documents:
            changed = max(_change_time(item.path), manifest if item.row else NEVER)
            newest[item.partition] = max(changed, newest.get(item.partition, NEVER))
        return newest

    def holds_another(self, source_uri: str, data: bytes) -> bool:
        """Return whether the directory has a file of this path whose bytes are not these."""
        try:
            with open_below(self.root, self.root / source_uri) as file:
                return file.read(len(data) + 1) != data
        except (FileNotFoundError, NotADirectoryError, OutsideFolder):
            return False
        except OSError:
            return True

    def scan(self, partition: PartitionKey | None = None) -> LandingScan:
        """List the files of one partition, or of all (None), without opening a document.

        Hidden files, and READMEs at the top of the directory, are not documents.

        Raises:
            LandingDirectoryMissing: the directory does not exist.
            InvalidManifest: the directory has a manifest that cannot be used.
        """
        if not self.root.is_dir():
            raise LandingDirectoryMissing(self.root)
        manifest, named = self._manifest.rows(), set[str]()
        scan = LandingScan(manifest_rows=len(manifest))
        for path in self._files(self.root if partition is None else self.root / str(partition)):
            source_uri = _storable(path.relative_to(self.root).as_posix())
            row = manifest.get(source_uri)
            named.add(portable_path(source_uri))
            try:
                scan.documents.append(self._landed_document(path, source_uri, row))
            except DocumentError as error:
                scan.rejections.append(_rejection(error, _partition_of(source_uri), _fingerprint(path, row)))
        for source_uri in manifest if partition is None else manifest.in_folder(str(partition)):
            if source_uri not in named:
                missing = ManifestRowWithoutFile(_storable(source_uri), manifest[source_uri].line)
                scan.rejections.append(_rejection(missing, _partition_of(source_uri), "no file"))
        return scan

    def read(self, landed: LandedDocument) -> bytes:
        """Return the bytes of a document, safely even if its path has changed since it was found.

        Raises:
            OutsideLandingDirectory: its path now leads out of the landing directory through a link.
            DocumentTooLarge, UnreadableDocument.
        """
        try:
            with open_below(self.root, landed.path) as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OutsideFolder as error:
            raise OutsideLandingDirectory(landed.source_uri) from error
        except OSError as error:
            raise UnreadableDocument(landed.source_uri, f"it cannot be opened ({error.strerror})") from error
        if len(data) > MAX_FILE_BYTES:
            raise DocumentTooLarge(landed.source_uri, f"it is larger than {readable_bytes(MAX_FILE_BYTES)}")
        return data

    def _files(self, top: Path) -> Iterator[Path]:
        """Yield every file below `top`, by path.

        Links to folders and folders that cannot be opened count as files, so that none is ignored silently.
        """
        # A link is not the folder of a partition. A scan of all partitions lists the link as a file.
        if os.path.realpath(top) != str(top):
            return
        errors: list[OSError] = []
        for folder, subfolders, files in os.walk(top, onerror=errors.append):
            links = [name for name in subfolders if os.path.islink(os.path.join(folder, name))]
            subfolders[:] = sorted(name for name in subfolders if name not in links and not name.startswith("."))
            for name in sorted(files + links):
                path = Path(folder) / name
                if not name.startswith(".") and not (path.parent == self.root and _describes_the_directory(path)):
                    yield path
        vanished = (FileNotFoundError, NotADirectoryError)
        yield from (Path(error.filename) for error in errors if not isinstance(error, vanished))

    def _landed_document(self, path: Path, source_uri: str, row: ManifestRow | None) -> LandedDocument:
        # os.path answers for all links, permissions and lengths; pathlib raises an error for some of them.
        if not Path(os.path.realpath(path)).is_relative_to(self.root):
            raise OutsideLandingDirectory(source_uri)
        if os.path.isdir(path) and not os.path.islink(path):
            raise UnreadableDocument(source_uri, "this folder cannot be opened")
        partition = _partition_from_path(source_uri)
        if path.suffix.lower() not in FORMATS:
            raise UnsupportedFormat(source_uri, FORMATS)
        if not os.path.isfile(path):
            raise UnreadableDocument(source_uri, "it is not a file")
        return LandedDocument(source_uri, path, partition, _fingerprint(path, row), row)


def _describes_the_directory(path: Path) -> bool:
    """Return whether this is the manifest, a README or a file of an unknown format at the top of the directory."""
    describes = path.name == MANIFEST or path.stem.lower() == "readme" or path.suffix.lower() not in FORMATS
    return describes and os.path.isfile(path)


def _partition_from_path(source_uri: str) -> PartitionKey:
    parts = source_uri.split("/")
    if len(parts) != 4:
        raise MisplacedDocument(source_uri, f"it lies {len(parts) - 1} folders deep, not 3")
    try:
        return PartitionKey(*parts[:3])
    except InvalidPartitionKey as error:
        raise MisplacedDocument(source_uri, error.problem) from error


def _partition_of(source_uri: str) -> PartitionKey | None:
    try:
        return _partition_from_path(source_uri)
    except MisplacedDocument:
        return None


def _fingerprint(path: Path, row: ManifestRow | None) -> str:
    """Return a string that changes with the file, its manifest row and the readers. The file is not opened.

    A file that replaces another may have its size and time, but not its number, nor the time of its last change in the
    file system, which no program sets.
    """
    try:
        stat = path.stat()
        state = f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ctime_ns}-{stat.st_ino}"
    except OSError:
        state = "gone"
    manifest_hash = hashlib.sha256((row.values_mark if row else "").encode()).hexdigest()[:8]
    return f"{READERS_VERSION}-{state}-{manifest_hash}"


def _change_time(path: Path) -> datetime:
    """Read when the file system last changed the file. Unlike the time of its content, no program sets it."""
    try:
        return datetime.fromtimestamp(path.stat().st_ctime, UTC)
    except OSError:
        return NEVER


def _rejection(error: DocumentError, partition: PartitionKey | None, fingerprint: str) -> DocumentRejection:
    return DocumentRejection(error.document, partition, type(error).__name__, str(error), fingerprint)


def _storable(name: str) -> str:
    """Return a name that PostgreSQL can store and index, and that a terminal shows on one line.

    Control characters, and bytes that are not UTF-8, are written as escapes.
    """
    shown = _CONTROL_CHARACTERS.sub(
        lambda match: repr(match[0])[1:-1], os.fsencode(name).decode("utf-8", "backslashreplace")
    )
    if len(shown.encode()) <= _MAX_NAME_BYTES:
        return shown
    return f"{shown[:200]}…{hashlib.sha256(shown.encode()).hexdigest()[:12]}"
