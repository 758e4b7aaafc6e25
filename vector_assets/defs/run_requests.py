"""Requests for runs, as a sensor hands them to Dagster."""

import dagster as dg

from ..domain.run_grouping import RunRange
from .partitions import run_tags
from .runtime.tags import PRIORITY_TAG, RANGE_END_TAG, RANGE_START_TAG

# Dagster takes 0.12 s to submit a run, and a tick may last 60.
MOST_REQUESTS = 100

# What a sensor finds has just arrived, and is little; a backfill's runs have the default, 0.
_PRIORITY = "1"


def run_request(partitions: RunRange) -> dg.RunRequest:
    """Make a request without a run_key: Dagster would drop a partition for good once a run with the key had failed."""
    tags = {**run_tags(partitions.partitions), PRIORITY_TAG: _PRIORITY}
    first, last = str(partitions.partitions[0]), str(partitions.partitions[-1])
    if first == last:
        return dg.RunRequest(partition_key=first, tags=tags)
    return dg.RunRequest(tags={**tags, RANGE_START_TAG: first, RANGE_END_TAG: last})
