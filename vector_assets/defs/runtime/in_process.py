"""Runs in this process: one Dagster run a partition, with the services and the model loaded once."""

import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import dagster as dg

from ...domain.coverage import PartitionStatus
from ...domain.embedder_wait import EmbedderWait
from ...domain.partition_keys import PartitionKey
from ...domain.progress import BatchProgress
from ...domain.reports import VectorizeReport
from ...domain.run_results import FailedCheck, RunResult
from ...errors import DatabaseFailed, InvalidSetting, RunCanceled, VectorAssetsError
from ...ports import ProgressListener
from ...services import Services
from ...vectorizer.embed_deadline import ANSWER_SIGNALS_SECONDS
from ..asset_keys import DOCUMENT_CHUNKS, VECTORS
from ..assets import ASSETS
from ..partitions import register, run_tags
from ..resources import run_resources
from ..run_history import Runs
from .run_origin import ORIGIN_TAG, command_tags, record_origin
from .run_processes import signature
from .storage_connections import kept_connections
from .tags import MAX_RETRIES_TAG

# What a run logs is in Dagster's storage; the terminal shows a progress bar instead.
_NO_CONSOLE: Mapping[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class _StoppableListener:
    """Passes on what it sees of a run until a stop is asked for; then the run ends, between two commits."""

    def __init__(self, listener: ProgressListener, stop: threading.Event, instance: dg.DagsterInstance) -> None:
        self._listener, self._stop, self._instance = listener, stop, instance
        self.run_id = ""
        self.cause: VectorAssetsError | None = None
        self.report_of_run: VectorizeReport | None = None
        self.status: PartitionStatus | None = None

    def begin(self) -> str:
        """Forget the run before; give the id of the next one."""
        self.run_id, self.cause = str(uuid.uuid4()), None
        self.report_of_run = self.status = None
        return self.run_id

    def document(self, partition: PartitionKey, source_uri: str) -> None:
        self._end_if_asked()
        self._listener.document(partition, source_uri)

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        self._listener.batch(partition, progress)
        self._end_if_asked()

    def wait(self, partition: PartitionKey, wait: EmbedderWait) -> None:
        self._listener.wait(partition, wait)

    def report(self, report: VectorizeReport, status: PartitionStatus) -> None:
        self.report_of_run, self.status = report, status

    def failure(self, partition: PartitionKey, error: VectorAssetsError) -> None:
        """Remember the error, unless it only says that nothing is waited for any more because of the stop."""
        if not isinstance(error, RunCanceled):
            self._end_if_asked()
        self.cause = error

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
        services: shared by all runs. Once `services.retries.ended` is set, the run at work ends as canceled at the next
            document or batch, or as soon as it waits for the database.
        listener: sees the work while it goes on.
    """

    def __init__(self, instance: dg.DagsterInstance, services: Services, listener: ProgressListener) -> None:
        self._instance = instance
        self._services = services
        self._listener = _StoppableListener(listener, services.retries.ended, instance)

    def prepare(self, partitions: Sequence[PartitionKey]) -> None:
        """Register the partitions, and end the runs of killed processes."""
        register(self._instance, partitions)
        Runs(self._instance).end_orphans()

    def run(
        self,
        partition: PartitionKey,
        assets: Sequence[dg.AssetKey],
        config: Mapping[str, Any] | None = None,
        allow_shrink: bool = False,
    ) -> RunResult:
        """Materialize assets of one partition in one run. `config` is that of the step that vectorizes.

        Raises:
            InvalidSetting: the config is not that of the step.
            DatabaseFailed: Dagster's storage failed, so that the run could not be recorded.
        """
        configs = {**dict.fromkeys(VECTORS, config or {}), DOCUMENT_CHUNKS: {"allow_shrink": allow_shrink}}
        # Off the main thread, Dagster leaves signals alone; it would raise in the middle of an import or a commit.
        with ThreadPoolExecutor(1, "vector-assets-run") as thread:
            running = thread.submit(self._run, partition, assets, configs)
            while not running.done():
                stopped = self._services.retries.ended.is_set()
                wait([running], ANSWER_SIGNALS_SECONDS)
                if stopped and not running.done():  # it waits for a lock, or for a long answer
                    self._services.database.cancel()
        try:
            return running.result()
        except dg.DagsterInvalidConfigError as error:
            problem = " ".join(item.message for item in error.errors) or "it is not valid"
            raise InvalidSetting("run config", problem, "Correct it.") from error
        except Exception as error:  # what the assets raise is in the result: this is Dagster's own
            reason = f"Dagster's storage failed during the run of {partition}: {' '.join(str(error).split())}"
            raise DatabaseFailed(reason, None) from error

    def _run(
        self,
        partition: PartitionKey,
        assets: Sequence[dg.AssetKey],
        configs: Mapping[dg.AssetKey, Mapping[str, Any]],
    ) -> RunResult:
        run_id = self._listener.begin()
        steps = {asset.to_python_identifier(): {"config": dict(configs[asset])} for asset in assets if asset in configs}
        result = self._job.execute_in_process(
            run_config={**_NO_CONSOLE, "ops": steps},
            instance=self._instance,
            partition_key=str(partition),
            asset_selection=list(assets),
            raise_on_error=False,
            run_id=run_id,
            # No daemon knows how to start this run again, so Dagster should not announce that it will.
            tags={**run_tags([partition]), **command_tags(), **ORIGIN_TAG, **signature(run_id), MAX_RETRIES_TAG: "0"},
        )
        error = None if result.success else _reason(result)
        cause = self._listener.cause if error else None
        report, status = self._listener.report_of_run, self._listener.status
        return RunResult(partition, run_id, error, cause, report, status, _failed_checks(result))

    @cached_property
    def _job(self) -> dg.JobDefinition:
        resources = run_resources(self._services, self._listener)
        resources = {**resources, "vector_assets_listener": dg.ResourceDefinition(self._begun)}
        definitions = dg.Definitions(assets=ASSETS, resources=resources, executor=dg.in_process_executor)
        return definitions.resolve_implicit_global_asset_job_def()

    def _begun(self, context: dg.InitResourceContext) -> _StoppableListener:
        """Give the run its listener. Dagster has made the run, so that its origin can be recorded now."""
        if context.run is not None:
            record_origin(self._instance, context.run)
        return self._listener


@contextmanager
def recorded_runs(services: Services, listener: ProgressListener) -> Iterator[InProcessRuns]:
    """Open the instance under the home directory, in which the runs are recorded."""
    from .instance import open_instance

    with open_instance(services) as instance, kept_connections(instance):
        yield InProcessRuns(instance, services, listener)


def _reason(result: dg.ExecuteInProcessResult) -> str:
    """The failed step's one line: the message of our own error, or of the last cause."""
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
