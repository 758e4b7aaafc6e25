"""What a materialization says of its vectors as a whole, and of how far they have moved since the last one."""

from collections.abc import Mapping

import dagster as dg

from ..coverage import PartitionStatus
from ..inspection.distribution import Distribution, Summary, shift

Metadata = Mapping[str, dg.MetadataValue]


def summary_after(distribution: Distribution, former: Summary | None, status: PartitionStatus) -> Summary:
    """What the partition's vectors are like after a run that made those of the distribution.

    Made anew they are all that count; a few new ones are added to what there was.
    """
    now = distribution.summary
    if former is None or 2 * now.moments.count >= status.current:
        return now
    return former + now


def distribution_metadata(distribution: Distribution, former: Summary | None) -> Metadata:
    """Of the vectors that a run has made: mean and spread, the lengths of their texts, and their shift.

    `former` is what the partition's vectors were like before.
    """
    now = distribution.summary
    if not now.moments.count:
        return {}
    entries: dict[str, dg.MetadataValue] = {
        "vectors/mean_length": dg.MetadataValue.float(round(float((now.moments.mean**2).sum() ** 0.5), 4)),
        "vectors/spread": dg.MetadataValue.float(round(now.moments.spread, 4)),
    }
    moved = shift(former, now) if former is not None else None
    if moved is not None:
        entries["vectors/mean_cosine_with_former"] = dg.MetadataValue.float(round(moved.cosine, 4))
        if moved.distance is not None:
            entries["vectors/shift"] = dg.MetadataValue.float(round(moved.distance, 4))
            entries["vectors/shift_by_chance"] = dg.MetadataValue.float(round(moved.by_chance, 4))
            entries["vectors/shifted"] = dg.MetadataValue.bool(moved.shifted)
    return entries
