"""Metadata of materializations of documents and chunks: what a run read, and what could not be used."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import dagster as dg

from ..domain.documents import DocumentRejection

if TYPE_CHECKING:  # runs that embed read no documents
    from ..ingestion.ingest import ChunksReport, DocumentsReport

# More would make an event heavy; all of them are in the tables.
_SHOWN = 10

Metadata = Mapping[str, dg.MetadataValue]


def documents_metadata(report: "DocumentsReport", documents: int) -> Metadata:
    """Describe a run of `bronze/documents`; `documents` is how many the partition has now."""
    entries: dict[str, dg.MetadataValue] = {
        "documents": dg.MetadataValue.int(documents),
        "read": dg.MetadataValue.int(len(report.read)),
        "unchanged": dg.MetadataValue.int(report.unchanged),
        "skipped": dg.MetadataValue.int(len(report.rejections)),
    }
    if report.rejections:
        entries["skipped_documents"] = _table(_rejection(item) for item in report.rejections[:_SHOWN])
    return entries


def chunks_metadata(report: "ChunksReport", chunks: int) -> Metadata:
    """Describe a run of `silver/document_chunks`; `chunks` is how many the partition has now."""
    return {
        "chunks": dg.MetadataValue.int(chunks),
        "documents_chunked": dg.MetadataValue.int(report.documents),
        "added": dg.MetadataValue.int(report.changes.added),
        "unchanged": dg.MetadataValue.int(report.changes.unchanged),
        "removed": dg.MetadataValue.int(report.changes.removed),
    }


def _table(records: Iterable[dg.TableRecord]) -> dg.MetadataValue:
    return dg.MetadataValue.table(list(records))


def _rejection(rejection: DocumentRejection) -> dg.TableRecord:
    return dg.TableRecord({"document": rejection.source_uri, "error": rejection.error, "message": rejection.message})
