"""What a materialization says of its vectors as a whole, and of how far they have moved since the last one."""

from collections.abc import Mapping

import dagster as dg

from ..domain.coverage import PartitionStatus
from ..domain.reports import VectorizeReport
from ..quality.distribution import Distribution, Summary, shift
from .canvas import as_markdown
from .pictures import TITLE, run_picture

Metadata = Mapping[str, dg.MetadataValue]

# Fewer say nothing that the figures do not, and to draw them would take longer than to embed them.
_FEWEST_DRAWN = 50


def summary_after(distribution: Distribution, former: Summary | None, status: PartitionStatus) -> Summary:
    """What the partition's vectors are like after a run that made those of the distribution.

    Made anew they are all that count; a few new ones are added to what there was.
    """
    now = distribution.summary
    if former is None or 2 * now.moments.count >= status.current:
        return now
    return former + now


def distribution_metadata(
    distribution: Distribution, former: Summary | None, report: VectorizeReport, max_tokens: int
) -> Metadata:
    """Of the vectors that a run has made: a picture, mean and spread, and their shift.

    `former` is what the partition's vectors were like before; `max_tokens` is the model's limit, for the picture.
    """
    now = distribution.summary
    if not now.moments.count:
        return {}
    entries: dict[str, dg.MetadataValue] = {
        "vectors/mean_length": dg.MetadataValue.float(round(float((now.moments.mean**2).sum() ** 0.5), 4)),
        "vectors/spread": dg.MetadataValue.float(round(now.moments.spread, 4)),
    }
    if now.moments.count >= _FEWEST_DRAWN:
        png = run_picture(distribution, report, max_tokens)
        entries = {"picture": dg.MetadataValue.md(as_markdown(png, TITLE)), **entries}
    moved = shift(former, now) if former is not None else None
    if moved is not None:
        entries["vectors/mean_cosine_with_former"] = dg.MetadataValue.float(round(moved.cosine, 4))
        if moved.distance is not None:
            entries["vectors/shift"] = dg.MetadataValue.float(round(moved.distance, 4))
            entries["vectors/shift_by_chance"] = dg.MetadataValue.float(round(moved.by_chance, 4))
            entries["vectors/shifted"] = dg.MetadataValue.bool(moved.shifted)
    return entries
