"""What the assets and sensors are given: the services, and a listener that sees the work of a run."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import dagster as dg

from ..domain.coverage import PartitionStatus
from ..domain.embedder_wait import EmbedderWait
from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress
from ..domain.reports import VectorizeReport
from ..errors import VectorAssetsError
from ..ports import RunListener
from ..services import Services
from ..settings import load_settings
from ..storage.retries import Retries
from ..translation import use_language
from .runtime.storage_connections import kept_connections

# A sensor's tick may last 60 seconds, and the next one comes soon.
_TICK_PATIENCE_SECONDS = 10.0


class SilentListener:
    """Does nothing: in a run that Dagster starts, the events are the progress."""

    def document(self, partition: PartitionKey, source_uri: str) -> None:
        """Do nothing."""

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        """Do nothing."""

    def wait(self, partition: PartitionKey, wait: EmbedderWait) -> None:
        """Do nothing."""

    def report(self, report: VectorizeReport, status: PartitionStatus) -> None:
        """Do nothing."""

    def failure(self, partition: PartitionKey, error: VectorAssetsError) -> None:
        """Do nothing."""


def run_resources(services: Services, listener: RunListener) -> Mapping[str, Any]:
    """Give the resources of runs in this process. Their keys are marked, for a project has a `services` of its own."""
    return {"vector_assets_services": services, "vector_assets_listener": listener}


def _services(context: dg.InitResourceContext) -> Iterator[Services]:
    with ExitStack() as stack:
        if context.run is None:
            retries = Retries(seconds=_TICK_PATIENCE_SECONDS)
        else:
            retries = Retries()
            if context.instance is not None:
                stack.enter_context(kept_connections(context.instance))
        settings = load_settings()
        use_language(settings.display_language)
        yield stack.enter_context(Services(settings, retries))


# Made when a run or a sensor's tick begins, so that loading the definitions touches no database.
RESOURCES = {
    "vector_assets_services": dg.resource(description="The database, the model and the landing directory.")(_services),
    "vector_assets_listener": dg.ResourceDefinition.hardcoded_resource(SilentListener(), "Sees the work of a run."),
}
