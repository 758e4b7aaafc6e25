"""The landing directory: which documents lie there, and which cannot be used because of where they lie."""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
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
from .document_limits import MOST_BYTES
from .manifest import MANIFEST, ManifestRow, read_manifest
from .readers import FORMATS, READERS_VERSION
from .safe_open import LeadsOut, open_below

# PostgreSQL's index on names takes about 2,700 bytes; a document in its place has a fraction of that.
_LONGEST_NAME = 2_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class LandedDocument:
    """A file in its place. `source_uri` is its path under the landing directory, with `/`."""

    source_uri: str
    path: Path
    partition: PartitionKey
    fingerprint: str
    row: ManifestRow | None


@dataclass
class LandingScan:
    """What lies in the landing directory, by path: documents to read, and what is in the way."""

    documents: list[LandedDocument] = field(default_factory=list)
    rejections: list[DocumentRejection] = field(default_factory=list)

    @property
    def fingerprints(self) -> dict[str, str]:
        """source_uri -> fingerprint of everything found."""
        documents = {item.source_uri: item.fingerprint for item in self.documents}
        return documents | {item.source_uri: item.fingerprint for item in self.rejections}


class LandingDirectory:
    """`market/doc_type/stock_code/<file>`, with an optional manifest.csv on top. Nothing outside it is ever read."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def scan(self, partition: PartitionKey | None = None) -> LandingScan:
        """Look at one partition's folder or at everything (None), without opening a document.

        Hidden files and READMEs on top of the directory are no documents.

        Raises:
            LandingDirectoryMissing: it is not there.
            InvalidManifest: there is a manifest, but it cannot be used.
        """
        if not self.root.is_dir():
            raise LandingDirectoryMissing(self.root)
        manifest = read_manifest(self.root)
        scan = LandingScan()
        for path in self._files(self.root if partition is None else self.root / str(partition)):
            source_uri = _storable(path.relative_to(self.root).as_posix())
            row = manifest.pop(source_uri, None)
            try:
                scan.documents.append(self._place(path, source_uri, row))
            except DocumentError as error:
                scan.rejections.append(_rejection(error, _partition_of(source_uri), _fingerprint(path, row)))
        for source_uri, row in manifest.items():
            key = _partition_of(source_uri)
            if partition is None or key == partition:
                missing = ManifestRowWithoutFile(_storable(source_uri), row.line)
                scan.rejections.append(_rejection(missing, key, "no file"))
        return scan

    def read(self, landed: LandedDocument) -> bytes:
        """The document's bytes, whatever has happened to its path since it was found.

        Raises:
            OutsideLandingDirectory: it is, or lies behind, a link that leads out by now.
            DocumentTooLarge, UnreadableDocument.
        """
        try:
            with open_below(self.root, landed.path) as file:
                data = file.read(MOST_BYTES + 1)
        except LeadsOut as error:
            raise OutsideLandingDirectory(landed.source_uri) from error
        except OSError as error:
            raise UnreadableDocument(landed.source_uri, f"it cannot be opened ({error.strerror})") from error
        if len(data) > MOST_BYTES:
            raise DocumentTooLarge(landed.source_uri, f"it is larger than {readable_bytes(MOST_BYTES)}")
        return data

    def _files(self, top: Path) -> Iterator[Path]:
        """Every file below, by path.

        Links to folders, and folders that cannot be opened, count as files, so that none is passed over in silence.
        """
        # A partition's folder behind a link is not one: the look at everything lists the link.
        if os.path.realpath(top) != str(top):
            return
        errors: list[OSError] = []
        for folder, subfolders, files in os.walk(top, onerror=errors.append):
            links = [name for name in subfolders if os.path.islink(os.path.join(folder, name))]
            subfolders[:] = sorted(name for name in subfolders if name not in links and not name.startswith("."))
            for name in sorted(files + links):
                path = Path(folder) / name
                if not name.startswith(".") and not (path.parent == self.root and _is_about_the_directory(path)):
                    yield path
        gone = (FileNotFoundError, NotADirectoryError)
        yield from (Path(error.filename) for error in errors if not isinstance(error, gone))

    def _place(self, path: Path, source_uri: str, row: ManifestRow | None) -> LandedDocument:
        # os.path answers whatever the links, permissions and lengths are; pathlib raises at some.
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


def _is_about_the_directory(path: Path) -> bool:
    """The manifest, a README, and files that no reader opens: lists and notes beside the markets' folders."""
    named = path.name == MANIFEST or path.stem.lower() == "readme" or path.suffix.lower() not in FORMATS
    return named and os.path.isfile(path)


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
    """Changes with the file's size or time, its manifest row, and the readers; costs no look into the file."""
    try:
        stat = path.stat()
        seen = f"{stat.st_size}-{stat.st_mtime_ns}"
    except OSError:
        seen = "gone"
    about = hashlib.sha256((row.mark if row else "").encode()).hexdigest()[:8]
    return f"{READERS_VERSION}-{seen}-{about}"


def _rejection(error: DocumentError, partition: PartitionKey | None, fingerprint: str) -> DocumentRejection:
    return DocumentRejection(error.document, partition, type(error).__name__, str(error), fingerprint)


def _storable(name: str) -> str:
    """A name that PostgreSQL can store and index, and a terminal can show on one line.

    Bytes that are not UTF-8, and control characters, are spelled out.
    """
    shown = _CONTROL.sub(lambda found: repr(found[0])[1:-1], os.fsencode(name).decode("utf-8", "backslashreplace"))
    if len(shown.encode()) <= _LONGEST_NAME:
        return shown
    return f"{shown[:200]}…{hashlib.sha256(shown.encode()).hexdigest()[:12]}"
