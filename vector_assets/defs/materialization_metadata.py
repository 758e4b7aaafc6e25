"""Metadata of materializations: the run's totals, the state of the partition, and what could not be used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import dagster as dg

from ..domain.batches import ChunkFailure
from ..domain.coverage import PartitionStatus
from ..domain.documents import DocumentRejection
from ..domain.reports import VectorizeReport
from ..domain.spaces import EmbeddingSpace
from ..domain.wording import readable_line
from ..ingestion.ingest import ChunksReport, DocumentsReport
from .progress_events import ProgressEvents

# More would make an event heavy; all of them are in the tables.
_SHOWN = 10
_SHOWN_CHARACTERS = 300

_STATES = ("chunks", "current", "pending", "quarantined")

Metadata = Mapping[str, dg.MetadataValue]


def documents_metadata(report: DocumentsReport, documents: int) -> Metadata:
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


def chunks_metadata(report: ChunksReport, chunks: int) -> Metadata:
    """Describe a run of `silver/document_chunks`; `chunks` is how many the partition has now."""
    return {
        "chunks": dg.MetadataValue.int(chunks),
        "documents_chunked": dg.MetadataValue.int(report.documents),
        "added": dg.MetadataValue.int(report.changes.added),
        "unchanged": dg.MetadataValue.int(report.changes.unchanged),
        "removed": dg.MetadataValue.int(report.changes.removed),
    }


def vectors_metadata(
    report: VectorizeReport,
    warnings: Sequence[str],
    space: EmbeddingSpace,
    device: str | None,
    status: PartitionStatus,
    events: ProgressEvents,
) -> Metadata:
    """Describe a run of `silver/vectorized_chunks`: its totals, and the partition's state after it.

    `device` is what computed the vectors; None where there was nothing to compute.
    """
    entries: dict[str, dg.MetadataValue] = {
        **_totals(report),
        **_partition_state(status),
        "model": dg.MetadataValue.text(f"{space.model} ({space.revision})"),
        "space": dg.MetadataValue.text(space.slug),
        "dimension": dg.MetadataValue.int(space.dimension),
        "progress_events": dg.MetadataValue.int(events.budget.count),
        "progress_seconds": dg.MetadataValue.float(round(events.budget.seconds, 3)),
    }
    if device is not None:
        entries["device"] = dg.MetadataValue.text(device)
    for stage, seconds in asdict(report.stages).items():
        entries[f"seconds/{stage}"] = dg.MetadataValue.float(round(seconds, 3))
    for mark, percent in report.estimate_errors.items():
        if percent is not None:
            entries[f"estimate_error_percent/at_{mark}"] = dg.MetadataValue.float(round(percent, 1))
    for fault, count in report.faults.items():
        entries[f"bad_vectors/{fault}"] = dg.MetadataValue.int(count)
    if report.callback_errors:
        entries["progress_errors"] = dg.MetadataValue.int(report.callback_errors)
    if warnings:
        entries["warnings"] = dg.MetadataValue.md("\n".join(f"- {line}" for line in warnings))
    if report.failures:
        entries["failures"] = _table(_failure(item) for item in report.failures)
    return entries


def _totals(report: VectorizeReport) -> Metadata:
    counts = {
        "vectorized": report.vectorized_count,
        "failed": report.failed_count,
        "superseded": report.superseded_count,
        "batches": report.batches,
        "tokens": report.tokens,
        "tokens_embedded": report.tokens_embedded,
        "unknown_tokens": report.unknown_tokens,
        "truncated_chunks": report.truncated_chunks,
    }
    return {
        **{name: dg.MetadataValue.int(count) for name, count in counts.items()},
        "failed_fraction": dg.MetadataValue.float(round(report.failed_fraction, 4)),
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
        "bottleneck": dg.MetadataValue.text(report.stages.bottleneck),
        "chunks_per_second": dg.MetadataValue.float(round(report.chunks_per_second, 1)),
        "tokens_per_second": dg.MetadataValue.float(round(report.tokens_per_second, 1)),
    }


def _partition_state(status: PartitionStatus) -> Metadata:
    return {
        **{f"partition/{name}": dg.MetadataValue.int(getattr(status, name)) for name in _STATES},
        "partition/coverage": dg.MetadataValue.float(round(status.coverage, 4)),
    }


def _table(records: Iterable[dg.TableRecord]) -> dg.MetadataValue:
    return dg.MetadataValue.table(list(records))


def _rejection(rejection: DocumentRejection) -> dg.TableRecord:
    return dg.TableRecord({"document": rejection.source_uri, "error": rejection.error, "message": rejection.message})


def _failure(failure: ChunkFailure) -> dg.TableRecord:
    chunk = failure.chunk
    return dg.TableRecord(
        {
            "chunk_id": str(chunk.id),
            "document": chunk.document,
            "chunk_index": chunk.chunk_index,
            "error": failure.error,
            "message": readable_line(failure.message, _SHOWN_CHARACTERS),
        }
    )
