"""Vectorize one partition: embed its pending chunks, report progress, record the run and audit the result."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import dagster as dg
from pydantic import Field

from ..budgets import make_budget
from ..domain.embedder_wait import EmbedderWait
from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress
from ..domain.quarantine import FailureCounts
from ..domain.reports import VectorizeReport
from ..errors import BudgetUsedUp, EmbedderDrifted, InvalidSetting, RunCanceled, TooManyFailures
from ..ports import RunListener
from ..quality.check_runner import CheckResults
from ..quality.distribution import Distribution
from ..quality.token_warnings import TokenCounts, token_warnings
from ..quality.vector_checks import NO_DRIFT, drift_result
from ..quality.vector_facts import AuditedRun, DriftFacts
from ..server_costs import price_of
from ..services import Services
from ..storage.partition_locks import PartitionLock
from ..translation import ngettext
from ..vectorizer import RunBudget
from .asset_keys import CANDIDATE_VECTORS, VECTORIZED_CHUNKS
from .check_events import log_check_results
from .external_writes import log_external_writes
from .partition_ranges import PartitionResult
from .progress_events import EventDetail, ProgressEvents
from .run_progress import RunProgress
from .runtime.interrupts import interrupts_set
from .step_failures import INTERRUPTS, StepCanceled, failure_of, has_ended, is_canceled
from .vectors_metadata import VectorsTotals


class VectorizeConfig(dg.Config):
    """Run config of `silver/vectorized_chunks` and `silver/candidate_vectors`."""

    batch_size: int | None = Field(None, description="Chunks per batch. Unset: EMBEDDING_BATCH_SIZE.")
    force_revectorize: bool = Field(False, description="Embed current and quarantined chunks too.")
    limit: int | None = Field(None, description="The most chunks of a partition to embed; the others stay pending.")
    max_tokens: int | None = Field(None, description="The most tokens to use; the other chunks stay pending.")
    max_cost: float | None = Field(None, description="The same as money, in the currency of the provider's price.")
    deadline: str | None = Field(
        None, description="When to stop, e.g. 06:00 or 2026-12-01T06:00; the other chunks stay pending."
    )
    budget: str | None = Field(
        None, description="Runs with the same name here share max_tokens and max_cost. Unset: the run has its own."
    )
    progress_interval_seconds: float = Field(
        1.0, description="The least number of seconds between two progress events; 0 logs every batch."
    )
    event_detail: EventDetail = Field("batch", description="`chunk` adds each logged batch's chunks as a table.")
    max_failed_fraction: float | None = Field(
        None,
        description="The run fails when more than this share of its chunks failed; the vectors of the others are kept. "
        "0: any failure, 1: never. Above 0, a single failure is allowed. Unset: VECTOR_ASSETS_MAX_FAILED_FRACTION.",
    )

    def check(self) -> None:
        """Refuse numbers out of range.

        Raises:
            InvalidSetting: the first of them.
        """
        for name, value, least in (
            ("batch_size", self.batch_size, 1),
            ("limit", self.limit, 1),
            ("max_tokens", self.max_tokens, 1),
            ("max_cost", self.max_cost, 0),
            ("progress_interval_seconds", self.progress_interval_seconds, 0),
        ):
            if value is not None and value < least:
                raise InvalidSetting(name, f"{value} is below {least}", "Correct it in the run's config.")
        if self.max_failed_fraction is not None and not 0 <= self.max_failed_fraction <= 1:
            problem = f"{self.max_failed_fraction} is not between 0 and 1"
            raise InvalidSetting("max_failed_fraction", problem, "Correct it in the run's config.")


def vectors_asset(services: Services) -> dg.AssetKey:
    """Say which asset holds the vectors of the space in which these services work."""
    return CANDIDATE_VECTORS if services.spaces.filling() == services.space else VECTORIZED_CHUNKS


def vectorize(
    context: dg.AssetExecutionContext,
    config: VectorizeConfig,
    services: Services,
    listener: RunListener,
    key: PartitionKey,
    run: RunProgress | None = None,
) -> PartitionResult:
    """Embed the partition's pending chunks, as the only run that has the partition.

    `run` is the progress of a run over several partitions.

    Raises:
        VectorAssetsError: it could not be done.
        dagster.Failure: too many of its chunks failed, with the totals.
    """
    config.check()
    services.require_live()
    log_external_writes(context, services, key)
    step = _VectorizeStep(context, config, services, listener, key, run)
    ended = partial(has_ended, context)
    with services.partition_locks.held(key, services.space.slug, context.run_id, ended) as lock:
        result = step.run(lock)
        lock.require()
    return result


@dataclass(frozen=True)
class _VectorizeStep:
    """One partition's part of a run; all of it happens while the partition is locked."""

    context: dg.AssetExecutionContext
    config: VectorizeConfig
    services: Services
    listener: RunListener
    key: PartitionKey
    run_progress: RunProgress | None

    def run(self, lock: PartitionLock) -> PartitionResult:
        """Embed, record and audit; what is returned holds values only.

        Raises:
            VectorAssetsError: it could not be done.
            dagster.Failure: too many of its chunks failed, with the totals.
        """
        services, key = self.services, self.key
        if self.run_progress:
            self.run_progress.begin(key)
        services.term_filler.fill(key)  # of chunks that another program wrote
        moment = services.audit_facts.moment()
        used_before = services.embedder.tokens_used
        self._log_plan()
        events = self._progress_events()
        distribution = Distribution(services.space.dimension)
        try:
            report = self._embed(lock, events, distribution, used_before)
        except EmbedderDrifted as error:
            log_check_results(self.context, key, self._drift_failed(error))
            raise
        lock.require()
        if report.stopped and not report.processed:
            raise BudgetUsedUp(str(key), report.stopped)
        metadata = self._record(report, events, distribution)
        limit = self._max_failed_fraction
        most = report.processed if report.stopped else self.config.limit
        results = services.vector_audit.results(key, AuditedRun(report, most, limit, moment))
        if report.failed_too_many(limit):
            log_check_results(self.context, key, results)
            # Another attempt of the step would find nothing pending, and turn the partition green.
            raise failure_of(TooManyFailures(str(key), report.failed_count, report.processed, limit), metadata)
        return PartitionResult(metadata, f"{services.space.slug}:{services.coverage.content_digest(key)}", results)

    def _log_plan(self) -> None:
        """Say what the run will use of a server, before anything is sent."""
        services, key = self.services, self.key
        if not services.space.provider:
            return
        status = services.coverage.partition_status(key, services.space.slug)
        count = status.chunks if self.config.force_revectorize else status.pending
        if self.config.limit is not None:
            count = min(count, self.config.limit)
        if count:
            self.context.log.info(services.plan({key: count}, [status]).line())

    @property
    def _max_failed_fraction(self) -> float:
        configured = self.config.max_failed_fraction
        return self.services.settings.max_failed_fraction if configured is None else configured

    def _progress_events(self) -> ProgressEvents:
        company = self.services.company_names.of(self.key)
        interval, detail = self.config.progress_interval_seconds, self.config.event_detail
        return ProgressEvents(self.context, self.key, interval, detail, company, self.run_progress)

    def _embed(
        self, lock: PartitionLock, events: ProgressEvents, distribution: Distribution, used_before: int | None
    ) -> VectorizeReport:
        def report_batch(progress: BatchProgress) -> None:
            self.listener.batch(self.key, progress)
            events.report(progress)
            if lost := lock.warning():
                self.context.log.warning(lost)

        def report_wait(wait: EmbedderWait) -> None:
            self.context.log.warning(wait.line())
            self.listener.wait(self.key, wait)

        vectorizer = self.services.vectorizer(self.config.batch_size, lock.lease)
        try:
            with interrupts_set(self.services.retries.ended):
                return vectorizer.vectorize_partition(
                    self.key,
                    self.config.force_revectorize,
                    report_batch,
                    limit=self.config.limit,
                    run_id=self.context.run_id,
                    distribution=distribution,
                    budget=self._budget(),
                    on_wait=report_wait,
                )
        except INTERRUPTS:
            if not is_canceled(self.context):
                raise
            canceled = RunCanceled(str(self.key), vectorizer.committed_count, vectorizer.total_count)
            raise StepCanceled(canceled) from None
        finally:
            events.close()  # what was committed is reported, whatever came after it
            self._record_spending(used_before)

    def _budget(self) -> RunBudget | None:
        services, config = self.services, self.config
        name = config.budget or f"run {self.context.run_id}"
        limits = config.max_tokens, config.max_cost, config.deadline
        budget = make_budget(services.settings, price_of(services.embedder)[0], name, *limits)
        return None if budget is None else RunBudget(budget, services.spending, services.embedder)

    def _record_spending(self, used_before: int | None) -> None:
        """Record what the run has used, also where it failed."""
        services, used_now = self.services, self.services.embedder.tokens_used
        if used_before is None or used_now is None or used_now == used_before:
            return
        used = used_now - used_before
        price, currency = price_of(services.embedder)
        cost = used * (price or 0.0) / 1_000_000
        services.spending.record(services.space.slug, self.key, used, cost, currency)

    def _drift_failed(self, error: EmbedderDrifted) -> CheckResults:
        drift = DriftFacts(error.cosine, self.services.embedder.device, error)
        return ((NO_DRIFT, drift_result(drift, self.services.settings.quality_limits.min_drift_cosine)),)

    def _record(
        self, report: VectorizeReport, events: ProgressEvents, distribution: Distribution
    ) -> Mapping[str, dg.MetadataValue]:
        """Store what later runs compare themselves with, and give the materialization's metadata."""
        services, key, space = self.services, self.key, self.services.space
        services.partition_counts.merge_chunk_counts(key)
        services.partition_counts.merge_vector_counts(key, space.slug)
        status = services.coverage.partition_status(key, space.slug)
        former = services.last_runs.summary(key, space.slug)
        summary = distribution.summary_of_partition(former, status.current)
        services.last_runs.record(key, space.slug, report, summary)
        warnings = token_warnings(TokenCounts.of_report(report), services.settings.quality_limits)
        failed = services.quarantine.counts(space.slug, [key])
        for line in [*warnings, *_failure_warnings(key, failed), *_stop_warnings(report)]:
            self.context.log.warning(line)
        self.listener.report(report, status)
        if self.run_progress:
            self.run_progress.finish(report)
        return VectorsTotals(
            report,
            status,
            services.company_names.of(key),
            space,
            services.embedder.device if report.processed else None,
            warnings,
            events,
            distribution,
            former,
        ).metadata()


def chunks_to_embed(
    services: Services, config: VectorizeConfig, keys: Sequence[PartitionKey]
) -> dict[PartitionKey, int]:
    """Count the chunks that a run of these partitions will embed, of each."""
    if config.force_revectorize:
        counts = {item.partition: item.chunks for item in services.status()}
    else:
        counts = {item.partition: item.pending for item in services.pending_partitions()}
    most = config.limit if config.limit is not None else sys.maxsize
    return {key: min(counts.get(key, 0), most) for key in keys}


def _stop_warnings(report: VectorizeReport) -> list[str]:
    if report.stopped is None:
        return []
    left = report.total - report.processed
    return [
        ngettext(
            "stopped: {reason}; {number:,} chunk stays pending",
            "stopped: {reason}; {number:,} chunks stay pending",
            left,
            reason=report.stopped,
        )
    ]


def _failure_warnings(key: PartitionKey, failed: FailureCounts) -> list[str]:
    warnings = []
    if failed.pending and failed.next_attempt_at is not None:
        pending = ngettext(
            "{number:,} chunk failed and has another attempt by itself, at {time}. See vector-assets failures "
            "{partition}",
            "{number:,} chunks failed and have another attempt by themselves, the first of them at {time}. See "
            "vector-assets failures {partition}",
            failed.pending,
            time=f"{failed.next_attempt_at.astimezone():%H:%M}",
            partition=key,
        )
        warnings.append(pending)
    if failed.quarantined:
        quarantined = ngettext(
            "{number:,} chunk is quarantined. See vector-assets failures {partition}",
            "{number:,} chunks are quarantined. See vector-assets failures {partition}",
            failed.quarantined,
            partition=key,
        )
        warnings.append(quarantined)
    return warnings
