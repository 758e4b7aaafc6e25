"""Metadata of a materialization of vectors: what everybody wants to know first, then one table of all other figures."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import quote

import dagster as dg

from ..charts.figure import as_markdown
from ..charts.vectors_chart import MIN_RUN_SECONDS, TITLE, draw_vectors_chart
from ..domain.batches import ChunkFailure
from ..domain.coverage import PartitionStatus
from ..domain.progress import readable_speed
from ..domain.reports import VectorizeReport
from ..domain.spaces import EmbeddingSpace
from ..domain.wording import readable_chunks, readable_line, readable_paragraph, readable_seconds
from ..quality.distribution import Distribution
from ..quality.vector_shift import vector_shift
from ..quality.vector_summary import VectorSummary
from ..translation import ngettext, translate
from .asset_keys import DOCUMENTS
from .progress_events import ProgressEvents

_SHOWN_CHARACTERS = 300

Metadata = Mapping[str, dg.MetadataValue]
Figures = Iterator[tuple[str, str]]

_COLUMNS = dg.TableSchema(columns=[dg.TableColumn("figure", "string"), dg.TableColumn("value", "string")])


@dataclass(frozen=True)
class VectorsTotals:
    """What is known when a run over one partition has ended.

    Attributes:
        company: the name of the partition's company, empty where it is not known.
        device: what computed the vectors; None where there was nothing to compute.
        former: what the partition's vectors were like before the run.
    """

    report: VectorizeReport
    status: PartitionStatus
    company: str
    space: EmbeddingSpace
    device: str | None
    warnings: Sequence[str]
    events: ProgressEvents
    distribution: Distribution
    former: VectorSummary | None

    def metadata(self) -> Metadata:
        """Give the entries in the order in which Dagster shows them. It plots those that are numbers."""
        report, status = self.report, self.status
        entries: dict[str, dg.MetadataValue] = {
            "summary": dg.MetadataValue.text(_summary(report, status)),
            "coverage_percent": dg.MetadataValue.float(round(100 * status.rounded_coverage, 2)),
            "chunks": dg.MetadataValue.int(status.chunks),
            "vectorized": dg.MetadataValue.int(report.vectorized_count),
            **_if_any(failed=report.failed_count, pending=status.pending, quarantined=status.quarantined),
            "chunks_per_second": dg.MetadataValue.float(round(report.chunks_per_second, 1)),
            "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
            "model": dg.MetadataValue.text(self.space.model),
            "company": dg.MetadataValue.text(f"{self.company} {status.partition.stock_code}".strip()),
            "documents": dg.MetadataValue.url(_page_of_partition(DOCUMENTS, str(status.partition))),
        }
        if self.report.tokens_used is not None:
            entries["tokens_used"] = dg.MetadataValue.int(self.report.tokens_used)
        if self.warnings:
            entries["warnings"] = dg.MetadataValue.md("\n".join(f"- {line}" for line in self.warnings))
        if report.failures:
            entries["failures"] = dg.MetadataValue.table([_failure(item) for item in report.failures])
        if report.seconds >= MIN_RUN_SECONDS and self.distribution.summary.count:
            chart = as_markdown(draw_vectors_chart(self.distribution, self.space.max_tokens), TITLE)
            entries["vectors_chart"] = dg.MetadataValue.md(chart)
        return entries | {"diagnostics": self._diagnostics()}

    def _diagnostics(self) -> dg.MetadataValue:
        """Give all figures that somebody needs who looks for a fault, as text with units."""
        groups = (
            _counts(self.report, self.status),
            _tokens(self.report),
            _times(self.report, self.events),
            _space(self.space, self.device),
            distribution_figures(self.distribution, self.former),
        )
        records = [dg.TableRecord({"figure": name, "value": value}) for group in groups for name, value in group]
        return dg.MetadataValue.table(records, _COLUMNS)


def _summary(report: VectorizeReport, status: PartitionStatus) -> str:
    sentences = [translate("Nothing was pending.")]
    if report.processed:
        sentence = ngettext(
            "{number:,} chunk was vectorized in {duration} ({speed}).",
            "{number:,} chunks were vectorized in {duration} ({speed}).",
            report.vectorized_count,
            duration=readable_seconds(report.seconds),
            speed=readable_speed(report.chunks_per_second),
        )
        sentences = [sentence]
    if report.failed_count:
        sentences.append(ngettext("{number:,} chunk failed.", "{number:,} chunks failed.", report.failed_count))
    coverage = translate(
        "The partition has {chunks}; {coverage} of them are current.",
        chunks=readable_chunks(status.chunks),
        coverage=status.coverage_percent,
    )
    return readable_paragraph([*sentences, coverage])


def _if_any(**counts: int) -> Metadata:
    """Give the counts that are not 0: a plot of zeros says nothing."""
    return {name: dg.MetadataValue.int(count) for name, count in counts.items() if count}


def _page_of_partition(asset: dg.AssetKey, partition: str) -> str:
    """Give the page of the partition, from the root of the server on which the link is shown."""
    return f"/assets/{'/'.join(asset.path)}?view=partitions&partition={quote(partition, safe='')}"


def _counts(report: VectorizeReport, status: PartitionStatus) -> Figures:
    yield "batches", f"{report.batches:,}"
    yield "current", f"{status.current:,}"
    yield "pending", f"{status.pending:,}"
    yield "quarantined", f"{status.quarantined:,}"
    yield "superseded", f"{report.superseded_count:,}"
    yield "failed", f"{report.failed_count:,} ({report.failed_fraction:.1%})"
    if report.reused_count:
        yield "reused", f"{report.reused_count:,}"
    for fault, count in report.faults.items():
        yield f"refused vectors: {fault}", f"{count:,}"
    if report.callback_errors:
        yield "progress errors", f"{report.callback_errors:,}"


def _tokens(report: VectorizeReport) -> Figures:
    yield "tokens", f"{report.tokens:,}"
    yield "tokens embedded", f"{report.tokens_embedded:,}"
    yield "unknown tokens", f"{report.unknown_tokens:,} ({report.unknown_share:.1%})"
    yield "truncated chunks", f"{report.truncated_chunks:,}"


def _times(report: VectorizeReport, events: ProgressEvents) -> Figures:
    yield "speed", f"{report.tokens_per_second:,.0f} tokens/s"
    yield "bottleneck", report.stages.bottleneck
    for stage, seconds in asdict(report.stages).items():
        yield f"time: {stage.replace('_', ' ')}", f"{seconds:,.3f} s"
    for mark, percent in report.estimate_errors.items():
        if percent is not None:
            yield f"time left at {mark}% was off by", f"{percent:+.1f}%"
    yield "progress events", f"{events.budget.count:,} in {events.budget.seconds:.3f} s"


def _space(space: EmbeddingSpace, device: str | None) -> Figures:
    yield "space", space.slug
    yield "revision", space.revision
    yield "dimension", f"{space.dimension:,}"
    if device is not None:
        yield "device", device
    yield "node", socket.gethostname()


def distribution_figures(distribution: Distribution, former: VectorSummary | None) -> Figures:
    """Describe the vectors that the run has stored: their token lengths, mean and spread, and how far they moved."""
    summary, lengths = distribution.summary, distribution.token_lengths
    if not summary.count:
        return
    yield "token length: median", f"{lengths.percentile(50):,}"
    yield "token length: 95th percentile", f"{lengths.percentile(95):,}"
    yield "token length: longest", f"{lengths.longest:,}"
    yield "vectors: length of their mean", f"{summary.mean_length:.4f}"
    yield "vectors: spread", f"{summary.spread:.4f}"
    shift = vector_shift(former, summary) if former is not None else None
    if shift is None:
        return
    yield "vectors: cosine of the mean with the former one", f"{shift.cosine:.4f}"
    if shift.distance is not None:
        shifted = "; the vectors have shifted" if shift.shifted else ""
        yield "vectors: shift", f"{shift.distance:.4f} (by chance: {shift.by_chance:.4f}{shifted})"


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
