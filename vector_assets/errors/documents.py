"""The landing directory, and documents that cannot be used."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from ..translation import translate
from .family import VectorAssetsError


class LandingDirectoryMissing(VectorAssetsError):
    """The landing directory does not exist, or is not a directory."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            translate(
                "landing directory {path} is missing. Create it with the layout market/doc_type/stock_code/<file>, or "
                "set VECTOR_ASSETS_LANDING_DIR to yours.",
                path=path,
            )
        )
        self.path = path


class InvalidManifest(VectorAssetsError):
    """manifest.csv as a whole cannot be used."""

    def __init__(self, path: Path, problem: str, fix: str) -> None:
        super().__init__(f"{path}: {problem}. {fix}")
        self.path = path


class ReaderNotStarted(VectorAssetsError):
    """The process that parses documents did not start, so that no document is at fault."""

    def __init__(self, executable: str, reason: str) -> None:
        super().__init__(
            f"the process that reads documents could not be started ({reason}). Check the free memory and the limit of "
            f"processes, and that {executable} -m vector_assets.ingestion.reader_worker starts without an import error."
        )


class PartitionWouldShrink(VectorAssetsError):
    """Chunking a partition's documents again would delete more than half of its chunks. Nothing was deleted."""

    def __init__(self, partition: str, before: int, after: int) -> None:
        super().__init__(
            f"{partition} would shrink from {before:,} chunks to {after:,}, so nothing was deleted. Check that its "
            "files are complete and that the settings are right. If the loss is intended, run vector-assets ingest DIR "
            "--allow-shrink, or materialize the asset with allow_shrink in its config."
        )
        self.partition = partition
        self.before = before
        self.after = after


class DocumentError(VectorAssetsError):
    """One document cannot be used. It is reported and skipped, and the others are processed.

    Each subclass declares a `code`, which never changes: the process that parses documents sends it with the message,
    because unpickling what that process sends would let a document run code.
    """

    code: ClassVar[str]
    _by_code: ClassVar[dict[str, type["DocumentError"]]] = {}

    def __init_subclass__(cls, code: str) -> None:
        if code in cls._by_code:
            raise TypeError(f"the error code {code!r} belongs to {cls._by_code[code].__name__}")
        cls.code = code
        cls._by_code[code] = cls

    def __init__(self, document: str, problem: str, fix: str) -> None:
        super().__init__(f"{document}: {problem}. {fix}")
        self.document = document

    @classmethod
    def from_code(cls, code: str, document: str, message: str) -> "DocumentError":
        """Restore an error of another process from its code, its document and its whole message."""
        kind = cls._by_code[code]
        error = kind.__new__(kind, message)
        error.document = document
        return error


class MisplacedDocument(DocumentError, code="misplaced"):
    """The path of a document under the landing directory does not name a partition."""

    def __init__(self, document: str, problem: str) -> None:
        super().__init__(document, problem, "Move it to market/doc_type/stock_code/<file>.")


class UnsupportedFormat(DocumentError, code="unsupported_format"):
    """The file has a format that is not read, as its ending shows, or its bytes, which say the `name` of the format."""

    def __init__(self, document: str, supported: tuple[str, ...], name: str = "") -> None:
        problem = f"its format ({name}) is not supported" if name else "this format is not supported"
        super().__init__(document, problem, f"Convert it to one of {', '.join(supported)}, or remove it.")


class OutsideLandingDirectory(DocumentError, code="outside_landing_directory"):
    """A link leads out of the landing directory."""

    def __init__(self, document: str) -> None:
        super().__init__(
            document,
            "this link leads out of the landing directory",
            "Copy the file there instead of linking to it.",
        )


class UnreadableDocument(DocumentError, code="unreadable"):
    """The document cannot be opened or parsed."""

    def __init__(self, document: str, problem: str) -> None:
        super().__init__(document, problem, "Check the file and its permissions, or download it again.")


class DocumentTooLarge(DocumentError, code="too_large"):
    """The document exceeds a limit: of bytes, pages, characters, or memory to read it."""

    def __init__(self, document: str, problem: str) -> None:
        super().__init__(document, problem, "Split it into smaller documents, or remove it.")


class DocumentTooSlow(DocumentError, code="too_slow"):
    """Reading the document took longer than the limit for one document."""

    def __init__(self, document: str, seconds: float) -> None:
        super().__init__(
            document,
            f"reading it took longer than {seconds:g} s",
            "Split it or save it again, e.g. qpdf --linearize IN OUT. To retry it unchanged, touch the file.",
        )


class EncryptedDocument(DocumentError, code="encrypted"):
    """The PDF needs a password."""

    def __init__(self, document: str) -> None:
        super().__init__(
            document, "the PDF is encrypted", "Save a copy without a password, e.g. qpdf --decrypt IN OUT."
        )


class ImageOnlyDocument(DocumentError, code="image_only"):
    """The PDF has pages but no text layer, or nearly all of its pages are pictures."""

    def __init__(self, document: str, pages: int, pictures: int | None = None) -> None:
        if pictures is None:
            problem, fix = f"none of its {pages} pages has text (a scan?)", "Run OCR first, e.g. ocrmypdf IN OUT."
        else:
            problem = f"{pictures} of its {pages} pages are pictures with next to no text (a scan?)"
            fix = "Run OCR first, e.g. ocrmypdf --redo-ocr IN OUT."
        super().__init__(document, problem, fix)


class EmptyDocument(DocumentError, code="empty"):
    """The document has no text."""

    def __init__(self, document: str) -> None:
        super().__init__(document, "the document has no text", "Download it again, or remove it.")


class PlaceholderDocument(DocumentError, code="placeholder"):
    """The file shows something else in place of the document's text, which only another program or file has."""


class WrongEncoding(DocumentError, code="wrong_encoding"):
    """The document is not in the encoding that it declares, or not in UTF-8. `likely` are names that iconv takes."""

    def __init__(self, document: str, encoding: str, position: int, likely: Sequence[str] = ()) -> None:
        if not likely:
            fix = "Find out from its sender which encoding it has, and convert it to UTF-8."
        elif len(likely) == 1:
            fix = f"It is likely {likely[0]}: convert it with iconv -f {likely[0]} -t UTF-8 IN > OUT, and read a line."
        else:
            names = f"{', '.join(likely[:-1])} or {likely[-1]}"
            fix = f"It may be {names}: convert it, e.g. iconv -f {likely[0]} -t UTF-8 IN > OUT, and read a line."
        super().__init__(document, f"it is not {encoding.upper()} (byte {position})", fix)


class DamagedText(DocumentError, code="damaged_text"):
    """Nearly all of the document is in one encoding, and some bytes are not."""

    def __init__(self, document: str, encoding: str, position: int) -> None:
        super().__init__(
            document,
            f"byte {position} is damaged, though the rest is {encoding.upper()}",
            "Download it again. Do not convert it: that would change the rest.",
        )


class NulBytes(DocumentError, code="nul_bytes"):
    """The text contains NUL bytes, which PostgreSQL does not store."""

    def __init__(self, document: str) -> None:
        super().__init__(
            document,
            "the text contains NUL bytes (binary, or UTF-16?)",
            "Save it as UTF-8 text, e.g. iconv -f UTF-16 -t UTF-8 IN > OUT.",
        )


class AnotherProgramsDocument(DocumentError, code="another_programs"):
    """Another program has stored a document of this name, and its chunks."""

    def __init__(self, document: str) -> None:
        super().__init__(
            document,
            "another program has a document of this name",
            "Rename the file, or delete that document from the table documents.",
        )


class SamePathElsewhere(DocumentError, code="same_path_elsewhere"):
    """Another landing directory holds another file of this path, which is stored under it."""

    def __init__(self, document: str, root: str) -> None:
        super().__init__(
            document,
            f"{root} holds another document of this path",
            "Rename one of the two files, or remove the one there.",
        )


class ManifestRowWithoutFile(DocumentError, code="manifest_row_without_file"):
    """A row of manifest.csv names a file that does not exist."""

    def __init__(self, document: str, row: int) -> None:
        super().__init__(
            document,
            f"row {row} of manifest.csv names this file, but it does not exist",
            "Add the file, or remove the row.",
        )
