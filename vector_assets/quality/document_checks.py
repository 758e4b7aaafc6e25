"""The check of `bronze/documents`: which files could not be read, wholly or in part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..domain.documents import DocumentRejection
from ..domain.wording import readable_paragraph
from ..translation import ngettext
from .check_result import CheckResult, Figure, Row, Severity
from .check_runner import Check

_NAMED = 3


@dataclass(frozen=True)
class DocumentFacts:
    """The number of a partition's files, those that were rejected, and by path what of others could not be read.

    A row of the manifest that names no file counts as a file.
    """

    files: int
    rejections: Sequence[DocumentRejection]
    warnings: Mapping[str, str]


def documents_read(facts: DocumentFacts) -> CheckResult:
    """Warn of files that were not read, or in part; fail where none was read."""
    figures: dict[str, Figure] = {
        "files": facts.files,
        "rejected": len(facts.rejections),
        "read_in_part": len(facts.warnings),
    }
    if not facts.rejections and not facts.warnings:
        description = ngettext("{number:,} file is read.", "All {number:,} files are read.", facts.files)
        return CheckResult(True, description, figures, Severity.WARNING)
    figures["not_read"] = tuple(_rows(facts))
    is_all = 0 < facts.files <= len(facts.rejections)
    description = readable_paragraph([*_rejected(facts), *_in_part(facts)])
    return CheckResult(False, description, figures, Severity.ERROR if is_all else Severity.WARNING)


def _rejected(facts: DocumentFacts) -> list[str]:
    if not facts.rejections:
        return []
    count = ngettext(
        "{rejected:,} of {number:,} file could not be read.",
        "{rejected:,} of {number:,} files could not be read.",
        facts.files,
        rejected=len(facts.rejections),
    )
    return [count, *(item.message for item in facts.rejections[:_NAMED])]


def _in_part(facts: DocumentFacts) -> list[str]:
    if not facts.warnings:
        return []
    count = ngettext("{number:,} file was read in part.", "{number:,} files were read in part.", len(facts.warnings))
    return [count, *(f"{name}: {warning}" for name, warning in list(facts.warnings.items())[:_NAMED])]


def _rows(facts: DocumentFacts) -> list[Row]:
    rejected = [{"document": item.source_uri, "reason": item.message} for item in facts.rejections]
    return [*rejected, *({"document": name, "reason": warning} for name, warning in sorted(facts.warnings.items()))]


DOCUMENT_CHECKS: Sequence[Check[DocumentFacts]] = (
    Check(
        "documents_read",
        "Every file of the partition is read, and no page of it is a picture without text.",
        documents_read,
    ),
)
