"""One partition's vectors, as a step makes them: told while it goes on, recorded, summed up and judged."""

from collections.abc import Mapping

import dagster as dg
from pydantic import Field

from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress
from ..domain.reports import VectorizeReport
from ..errors import EmbedderDrifted, InvalidSetting, TooManyFailures
from ..quality.distribution import Distribution
from ..services import Services
from . import vector_checks
from .check_events import judged, tell_verdicts
from .distribution_metadata import distribution_metadata
from .external_writes import tell_of_other_programs
from .materialization_metadata import vectors_metadata
from .partition_ranges import Made
from .progress_events import EventDetail, ProgressEvents
from .resources import ProgressListener
from .runtime.interrupts import interrupts_set
from .step_failures import failure_of
from .vector_checks import VECTOR_CHECKS


class VectorizeConfig(dg.Config):
    """Run config of `silver/vectorized_chunks`."""

    batch_size: int | None = Field(None, description="Chunks in a batch. Unset: EMBEDDING_BATCH_SIZE.")
    force_revectorize: bool = Field(False, description="Embed current and quarantined chunks too.")
    limit: int | None = Field(None, description="At most so many chunks of a partition; the rest stays pending.")
    progress_interval_seconds: float = Field(
        1.0, description="Between two progress events at least; 0 logs every batch."
    )
    accept_drift: bool = Field(
        False,
        description="If the model no longer makes the vectors that are stored, embed all chunks anew, into a space of "
        "their own.",
    )
    event_detail: EventDetail = Field("batch", description="`chunk` adds each logged batch's chunks as a table.")
    max_failed_fraction: float | None = Field(
        None,
        description="The run fails, all else committed, when more than this share of its chunks failed: 0 for any, 1 "
        "for never. Above 0 a single failure always passes. Unset: VECTOR_ASSETS_MAX_FAILED_FRACTION.",
    )

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises:
            InvalidSetting: the first of them.
        """
        for name, value, least in (
            ("batch_size", self.batch_size, 1),
            ("limit", self.limit, 1),
            ("progress_interval_seconds", self.progress_interval_seconds, 0),
        ):
            if value is not None and value < least:
                raise InvalidSetting(name, f"{value} is below {least}", "Correct it in the run's config.")
        if self.max_failed_fraction is not None and not 0 <= self.max_failed_fraction <= 1:
            problem = f"{self.max_failed_fraction} is not between 0 and 1"
            raise InvalidSetting("max_failed_fraction", problem, "Correct it in the run's config.")


def vectorize(
    context: dg.AssetExecutionContext,
    config: VectorizeConfig,
    services: Services,
    listener: ProgressListener,
    key: PartitionKey,
) -> Made:
    """Embed the partition's pending chunks.

    Raises:
        VectorAssetsError: it could not be done.
        dagster.Failure: too many of its chunks failed, with the totals.
    """
    config.check()
    if config.accept_drift and services.accept_drift():
        context.log.warning(
            f"the vectors of {services.space.model} have changed: all chunks are pending in a new space"
        )
    tell_of_other_programs(context, services, key)
    moment = services.evidence.moment()
    events = ProgressEvents(context, key, config.progress_interval_seconds, config.event_detail)
    distribution = Distribution(services.space.dimension)
    try:
        report = _embed(context, config, services, listener, key, events, distribution)
    except EmbedderDrifted as error:
        tell_verdicts(context, key, vector_checks.drifted(error, services.settings.min_drift_cosine))
        raise
    metadata = _recorded(context, services, key, report, events, distribution)
    limit = services.settings.max_failed_fraction if config.max_failed_fraction is None else config.max_failed_fraction
    verdicts = judged(VECTOR_CHECKS, lambda: vector_checks.gather(services, key, report, config.limit, limit, moment))
    if report.failed_too_many(limit):
        tell_verdicts(context, key, verdicts)
        # Another attempt of the step would find nothing pending, and turn the partition green.
        raise failure_of(TooManyFailures(str(key), report.failed_count, report.processed, limit), metadata)
    return Made(metadata, f"{services.space.slug}:{services.coverage.content_digest(key)}", verdicts)


def _embed(
    context: dg.AssetExecutionContext,
    config: VectorizeConfig,
    services: Services,
    listener: ProgressListener,
    key: PartitionKey,
    events: ProgressEvents,
    distribution: Distribution,
) -> VectorizeReport:
    """As the only run that has the partition."""
    with services.partition_locks.held(key, services.space.slug, context.run_id) as lock:

        def told(progress: BatchProgress) -> None:
            listener.batch(key, progress)
            events.tell(progress)
            if lost := lock.warning():
                context.log.warning(lost)

        vectorizer = services.vectorizer(config.batch_size)
        try:
            with interrupts_set(services.retries.ended):
                return vectorizer.vectorize_partition(
                    key,
                    config.force_revectorize,
                    told,
                    limit=config.limit,
                    run_id=context.run_id,
                    distribution=distribution,
                )
        finally:
            events.close()  # what was committed is told, whatever came after it


def _recorded(
    context: dg.AssetExecutionContext,
    services: Services,
    key: PartitionKey,
    report: VectorizeReport,
    events: ProgressEvents,
    distribution: Distribution,
) -> Mapping[str, dg.MetadataValue]:
    """Keep what the run did for those to come; give what is said of it."""
    space = services.space
    status = services.coverage.partition_status(key, space.slug)
    former = services.last_runs.summary(key, space.slug)
    summary = distribution.summary_of_partition(former, status.current)
    services.last_runs.record(key, space.slug, report, summary)
    warnings = report.warnings(services.sight_limits)
    for line in warnings:
        context.log.warning(line)
    if status.quarantined:
        context.log.warning(f"{status.quarantined:,} chunks are quarantined. See vector-assets failures {key}")
    device = services.embedder.device if report.processed else None
    totals = vectors_metadata(report, warnings, space, device, status, events)
    return {**totals, **distribution_metadata(distribution, former, report, space.max_tokens)}
