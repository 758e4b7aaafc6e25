"""Judge whether any partition has been pending for longer than it may."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..domain.coverage import PartitionStatus
from ..domain.partition_keys import PartitionKey
from ..domain.wording import readable_seconds
from ..translation import ngettext, translate


@dataclass(frozen=True)
class LatePartition:
    """A partition whose oldest pending text has been pending for longer than the limit."""

    partition: PartitionKey
    pending: int
    hours: float

    @property
    def pending_for(self) -> str:
        """For how long, e.g. `3 h 15 min`."""
        return readable_seconds(self.hours * 3600)


@dataclass(frozen=True)
class Freshness:
    """The late partitions, the longest pending first, and for how many hours the oldest text of all is pending."""

    limit_hours: float
    oldest_pending_hours: float
    late: tuple[LatePartition, ...]

    @property
    def passed(self) -> bool:
        """Whether no partition is late."""
        return not self.late

    @property
    def description(self) -> str:
        """The result in words, with what to do about a late partition."""
        if self.passed:
            return translate("Nothing has been pending for longer than {limit:g} h.", limit=self.limit_hours)
        oldest = self.late[0]
        return ngettext(
            "{number:,} partition has been pending for longer than {limit:g} h, {partition} for {duration}. See on its "
            "page of silver/vectorized_chunks why its runs fail. If there are no runs, see whether "
            "vector_assets_new_chunks_sensor is on.",
            "{number:,} partitions have been pending for longer than {limit:g} h, {partition} for {duration}. See on "
            "its page of silver/vectorized_chunks why its runs fail. If there are no runs, see whether "
            "vector_assets_new_chunks_sensor is on.",
            len(self.late),
            limit=self.limit_hours,
            partition=oldest.partition,
            duration=oldest.pending_for,
        )


def freshness(statuses: Sequence[PartitionStatus], limit_hours: float, now: datetime) -> Freshness:
    """Judge all partitions; one that has been pending for exactly so many hours is not late yet."""
    hours = {status.partition: status.seconds_pending(now) / 3600 for status in statuses}
    late = [
        LatePartition(status.partition, status.pending, hours[status.partition])
        for status in statuses
        if hours[status.partition] > limit_hours
    ]
    late.sort(key=lambda item: (-item.hours, item.partition))
    return Freshness(limit_hours, max(hours.values(), default=0.0), tuple(late))
