"""What the assets are given: the real services, and somebody who watches the progress."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

import dagster as dg

from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress
from ..services import Services
from ..settings import load_settings
from ..translation import use_language
from .run_history import sign
from .runtime.storage_connections import kept_connections

# A sensor's tick may last 60 seconds, and the next one comes soon.
_TICK_PATIENCE_SECONDS = 10.0


class ProgressListener(Protocol):
    """Sees the work of a run while it goes on."""

    def document(self, partition: PartitionKey, source_uri: str) -> None:
        """A document's turn has come, to be read or to be cut."""
        ...

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        """A batch was committed."""
        ...


class SilentListener:
    """Watches nothing: in a run that Dagster starts, the events are the progress."""

    def document(self, partition: PartitionKey, source_uri: str) -> None:
        """Do nothing."""

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        """Do nothing."""


def _services(context: dg.InitResourceContext) -> Iterator[Services]:
    with ExitStack() as stack:
        if context.instance is not None and context.run_id is not None:
            sign(context.instance, context.run_id)
            stack.enter_context(kept_connections(context.instance))
        settings = load_settings()
        use_language(settings.display_language)
        services = stack.enter_context(Services(settings))
        if context.run_id is None:
            services.retries.seconds = _TICK_PATIENCE_SECONDS
        yield services


# Made when a run or a sensor's tick begins, so that loading the definitions touches no database.
RESOURCES = {
    "services": dg.resource(description="The database, the model and the landing directory.")(_services),
    "listener": dg.ResourceDefinition.hardcoded_resource(SilentListener(), "Sees the work while it goes on."),
}
