"""Metadata of a materialization about its vectors as a whole, and about how far they have moved since the last run."""

from collections.abc import Mapping

import dagster as dg

from ..charts.figure import as_markdown
from ..charts.vectors_chart import MIN_RUN_SECONDS, TITLE, draw_vectors_chart
from ..domain.reports import VectorizeReport
from ..quality.distribution import Distribution
from ..quality.vector_shift import vector_shift
from ..quality.vector_summary import VectorSummary

Metadata = Mapping[str, dg.MetadataValue]


def distribution_metadata(
    distribution: Distribution, former: VectorSummary | None, report: VectorizeReport, max_tokens: int
) -> Metadata:
    """Describe the vectors that a run has stored: their token lengths, mean, spread and shift; a chart if it was long.

    `former` is what the partition's vectors were like before; `max_tokens` is the model's limit.
    """
    summary, lengths = distribution.summary, distribution.token_lengths
    if not summary.count:
        return {}
    entries: dict[str, dg.MetadataValue] = {
        "token_length/median": dg.MetadataValue.int(lengths.percentile(50)),
        "token_length/percentile_95": dg.MetadataValue.int(lengths.percentile(95)),
        "token_length/longest": dg.MetadataValue.int(lengths.longest),
        "vectors/mean_length": dg.MetadataValue.float(round(summary.mean_length, 4)),
        "vectors/spread": dg.MetadataValue.float(round(summary.spread, 4)),
        **_shift_metadata(former, summary),
    }
    if report.seconds >= MIN_RUN_SECONDS:
        chart = as_markdown(draw_vectors_chart(distribution, max_tokens), TITLE)
        entries["vectors_chart"] = dg.MetadataValue.md(chart)
    return entries


def _shift_metadata(former: VectorSummary | None, summary: VectorSummary) -> Metadata:
    shift = vector_shift(former, summary) if former is not None else None
    if shift is None:
        return {}
    entries: dict[str, dg.MetadataValue] = {
        "vectors/mean_cosine_with_former": dg.MetadataValue.float(round(shift.cosine, 4))
    }
    if shift.distance is not None:
        entries["vectors/shift"] = dg.MetadataValue.float(round(shift.distance, 4))
        entries["vectors/shift_by_chance"] = dg.MetadataValue.float(round(shift.by_chance, 4))
        entries["vectors/shifted"] = dg.MetadataValue.bool(shift.shifted)
    return entries
