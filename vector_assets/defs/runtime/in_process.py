"""Runs in this process: one Dagster run a partition, with the services and the model loaded once."""

import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import dagster as dg
from dagster._core.storage.tags import MAX_RETRIES_TAG

from ...domain.partition_keys import PartitionKey
from ...domain.progress import BatchProgress
from ...errors import DatabaseFailed
from ...services import Services
from ...vectorizer.embed_deadline import ANSWER_SIGNALS_SECONDS
from ..asset_keys import VECTORIZED_CHUNKS
from ..assets import ASSETS
from ..partitions import register, run_tags
from ..resources import ProgressListener
from ..run_history import Runs, signature
from .storage_connections import kept_connections

# What a run logs is in Dagster's storage; on the terminal there is a progress bar in its place.
_QUIET: Mapping[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class FailedCheck(NamedTuple):
    """A check that did not pass: its name, what it saw, and whether that is an error or a warning."""

    name: str
    words: str
    is_error: bool


@dataclass(frozen=True)
class RunResult:
    """How a partition's run ended. `metadata` is the vectors' materialization; `error` says why a run failed.

    `failed_checks` are of a run that succeeded: of one that failed, Dagster gives none back, though it has stored them.
    """

    partition: PartitionKey
    run_id: str
    error: str | None
    metadata: Mapping[str, Any]
    failed_checks: Sequence[FailedCheck]


class _Stopping:
    """Passes on what it sees until somebody asks to stop; then the work ends there, between two commits."""

    def __init__(self, listener: ProgressListener, stop: threading.Event, instance: dg.DagsterInstance) -> None:
        self._listener, self._stop, self._instance = listener, stop, instance
        self.run_id = ""

    def document(self, partition: PartitionKey, source_uri: str) -> None:
        self._end_if_asked()
        self._listener.document(partition, source_uri)

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        self._listener.batch(partition, progress)
        self._end_if_asked()

    def pause(self, seconds: float) -> None:
        """Wait, but for no longer than until somebody asks to stop."""
        self._stop.wait(seconds)
        self._end_if_asked()

    def _end_if_asked(self) -> None:
        if not self._stop.is_set():
            return
        with suppress(Exception):  # Dagster's storage may be the very thing that is waited for
            run = self._instance.get_run_by_id(self.run_id)
            if run is not None and run.status == dg.DagsterRunStatus.STARTED:
                self._instance.report_run_canceling(run)
        raise KeyboardInterrupt  # no Exception, so that it is not taken for a failing callback


class InProcessRuns:
    """Materializes partitions one after another.

    Args:
        instance: where the runs are recorded.
        services: shared by all runs.
        watcher: sees the work while it goes on.
        stop: once it is set, the run at work ends as canceled at the next document or batch.
    """

    def __init__(
        self, instance: dg.DagsterInstance, services: Services, listener: ProgressListener, stop: threading.Event
    ) -> None:
        self._instance = instance
        self._services = services
        self._stop = stop
        self._listener = _Stopping(listener, stop, instance)
        services.retries.pause = self._listener.pause

    def prepare(self, partitions: Sequence[PartitionKey]) -> None:
        """Register the partitions, and end what a killed process left behind."""
        register(self._instance, partitions)
        Runs(self._instance).end_orphans()

    def run(
        self, partition: PartitionKey, assets: Sequence[dg.AssetKey], config: Mapping[str, Any] | None = None
    ) -> RunResult:
        """Materialize assets of one partition in one run. `config` is the run config of the last of them.

        Raises:
            DatabaseFailed: Dagster's storage failed, so that the run could not be recorded.
        """
        # Off the main thread, Dagster leaves signals alone; it would raise in the middle of an import or a commit.
        with ThreadPoolExecutor(1, "vector-assets-run") as thread:
            running = thread.submit(self._run, partition, assets, config or {})
            while not running.done():
                wait([running], ANSWER_SIGNALS_SECONDS)
        try:
            return running.result()
        except Exception as error:  # what the assets raise is in the result: this is Dagster's own
            reason = f"Dagster's storage failed during the run of {partition}: {' '.join(str(error).split())}"
            raise DatabaseFailed(reason, None) from error

    def _run(self, partition: PartitionKey, assets: Sequence[dg.AssetKey], config: Mapping[str, Any]) -> RunResult:
        run_id = self._listener.run_id = str(uuid.uuid4())
        result = self._job.execute_in_process(
            run_config={**_QUIET, "ops": {assets[-1].to_python_identifier(): {"config": dict(config)}}},
            instance=self._instance,
            partition_key=str(partition),
            asset_selection=list(assets),
            raise_on_error=False,
            run_id=run_id,
            # No daemon knows how to start this run again, so Dagster should not announce that it will.
            tags={**run_tags([partition]), **signature(run_id), MAX_RETRIES_TAG: "0"},
        )
        return RunResult(partition, run_id, _error(result), _vectors_metadata(result), _failed_checks(result))

    @cached_property
    def _job(self) -> dg.JobDefinition:
        definitions = dg.Definitions(
            assets=ASSETS,
            resources={"services": self._services, "listener": self._listener},
            executor=dg.in_process_executor,
        )
        return definitions.resolve_implicit_global_asset_job_def()


@contextmanager
def recorded_runs(
    services: Services, listener: ProgressListener, stop: threading.Event | None = None
) -> Iterator[InProcessRuns]:
    """Runs recorded in the instance under the home directory."""
    from .instance import open_instance

    with open_instance(services) as instance, kept_connections(instance):
        yield InProcessRuns(instance, services, listener, stop or threading.Event())


def _error(result: dg.ExecuteInProcessResult) -> str | None:
    """The failed step's one line: our own error's message, or the last cause's."""
    if result.success:
        return None
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                return data.user_failure_data.description
            error = data.error
            while error is not None and error.cause is not None:
                error = error.cause
            return error.message.strip() if error else "the step failed"
    return "the run failed"


def _failed_checks(result: dg.ExecuteInProcessResult) -> list[FailedCheck]:
    return [
        FailedCheck(check.check_name, check.description or "", check.severity == dg.AssetCheckSeverity.ERROR)
        for check in result.get_asset_check_evaluations()
        if not check.passed
    ]


def _vectors_metadata(result: dg.ExecuteInProcessResult) -> Mapping[str, Any]:
    for event in result.get_asset_materialization_events():
        if event.asset_key == VECTORIZED_CHUNKS:
            return {name: value.value for name, value in event.materialization.metadata.items()}
    for event in result.all_events:  # too many chunks failed: the totals are the failure's
        if event.is_step_failure and event.step_key == VECTORIZED_CHUNKS.to_python_identifier():
            failure = event.step_failure_data.user_failure_data
            return {name: value.value for name, value in failure.metadata.items()} if failure else {}
    return {}
