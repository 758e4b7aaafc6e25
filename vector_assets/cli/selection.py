"""Which partitions a pattern means."""

from collections.abc import Sequence
from difflib import get_close_matches

from ..domain import PartitionPattern, PartitionStatus
from ..errors import NothingMatches


def matching(statuses: Sequence[PartitionStatus], patterns: tuple[str, ...]) -> list[PartitionStatus]:
    """Those that fit any of the patterns; all of them where none is given.

    Raises:
        InvalidPattern: one has not the form of a partition key.
        NothingMatches: one fits no partition; the message names the nearest.
    """
    if not patterns:
        return list(statuses)
    parsed = [PartitionPattern.parse(text) for text in patterns]
    for text, pattern in zip(patterns, parsed, strict=True):
        if not any(pattern.matches(status.partition) for status in statuses):
            raise NothingMatches((text,), _nearest(text, statuses))
    return [status for status in statuses if any(pattern.matches(status.partition) for pattern in parsed)]


def _nearest(text: str, statuses: Sequence[PartitionStatus]) -> list[str]:
    return get_close_matches(text, [str(status.partition) for status in statuses], n=3, cutoff=0.4)
