"""What the assets are given: the real parts, and somebody who watches the progress."""

from collections.abc import Callable, Iterator

import dagster as dg

from ..domain import BatchProgress, PartitionKey
from ..settings import load_settings
from ..wiring import Parts

ProgressWatcher = Callable[[PartitionKey, BatchProgress], None]
"""Sees every batch of every partition, as soon as it is committed."""


def _parts(_: dg.InitResourceContext) -> Iterator[Parts]:
    with Parts(load_settings()) as parts:
        yield parts


def _nobody(_: PartitionKey, __: BatchProgress) -> None:
    """In a run that Dagster starts, the events are the progress."""


# Made when a run or a sensor's tick begins, so that loading the definitions touches no database.
RESOURCES = {
    "parts": dg.resource(description="The database, the model and the landing directory.")(_parts),
    "watch_progress": dg.ResourceDefinition.hardcoded_resource(_nobody, "Sees every committed batch."),
}
