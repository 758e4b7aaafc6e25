"""The reasons why documents were rejected, with equal reasons folded into one line."""

from collections.abc import Iterator, Sequence

from ..translation import ngettext, translate
from .documents import DocumentRejection

_MOST_ALIKE = 3
"""So many lines with the same reason are read; more hide the others."""


def folded_reasons(rejections: Sequence[DocumentRejection], manifest_rows: int = 0) -> Iterator[str]:
    """Yield a line for each rejection, or one for all with the same reason where they are many.

    `manifest_rows` counts all rows of the manifest.
    """
    alike: dict[str, list[DocumentRejection]] = {}
    for rejection in rejections:
        alike.setdefault(_reason(rejection), []).append(rejection)
    for reason, group in alike.items():
        if len(group) <= _MOST_ALIKE:
            yield from (item.message for item in group)
        elif reason == _NO_FILE:
            yield _rows_without_file(group, manifest_rows)
        else:
            more = ngettext(
                "{number:,} more has the same reason", "{number:,} more have the same reason", len(group) - 1
            )
            yield translate("{message} ({more})", message=group[0].message, more=more)


_NO_FILE = "ManifestRowWithoutFile"


def _reason(rejection: DocumentRejection) -> str:
    """Return what is equal in the messages of two documents with the same reason."""
    if rejection.error == _NO_FILE:
        return _NO_FILE
    return rejection.message.removeprefix(rejection.source_uri)


def _rows_without_file(group: Sequence[DocumentRejection], manifest_rows: int) -> str:
    return translate(
        "{missing:,} of {rows:,} rows of manifest.csv name files that are not there, e.g. {document}. Add the files, "
        "or remove the rows.",
        missing=len(group),
        rows=max(manifest_rows, len(group)),
        document=group[0].source_uri,
    )
