"""The three assets: documents, the chunks cut from them, and a vector for every chunk."""

from collections.abc import Callable, Iterator

import dagster as dg
from pydantic import Field

from ..domain import BatchProgress, PartitionKey
from ..errors import InvalidSetting, TooManyFailures
from ..wiring import Parts
from .failures import failure_of
from .interrupts import interrupts_set
from .keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from .others import tell_of_other_programs
from .partitions import PARTITIONS
from .progress import EventDetail, ProgressEvents
from .ranges import Made, materialize_each, materialize_together
from .resources import Watcher
from .results import chunks_metadata, documents_metadata, vectors_metadata

GROUP = "filings"
OWNERS = ["team:data-engineering"]
EMBEDDER_POOL = "embedder"
"""Runs that embed share it; dagster.yaml says how many of them may be at work at once."""


@dg.asset(
    key=DOCUMENTS,
    partitions_def=PARTITIONS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"file", "postgres"},
    description="Filings as text, one row a document, read from the landing directory. New and changed files are read; "
    "one that cannot be used is listed with the reason and skipped.",
)
def documents(
    context: dg.AssetExecutionContext, parts: dg.ResourceParam[Parts], watcher: dg.ResourceParam[Watcher]
) -> Iterator[dg.MaterializeResult[None]]:
    """Read each partition's new and changed documents."""

    def read(key: PartitionKey) -> Made:
        report = parts.ingestion.read_documents(key, _teller(context, watcher, key, "reading"))
        count, _ = parts.documents.counts(key)
        for rejection in report.rejections:
            context.log.warning(rejection.message)
        return Made(documents_metadata(report, count), parts.documents.content_digest(key))

    yield from materialize_together(context, parts, read)


class CutConfig(dg.Config):
    """Run config of `silver/document_chunks`."""

    allow_shrink: bool = Field(
        False, description="Let the partition lose more than half of its chunks, where its documents became shorter."
    )


@dg.asset(
    key=DOCUMENT_CHUNKS,
    deps=[DOCUMENTS],
    partitions_def=PARTITIONS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    description="Documents cut at paragraphs and sentences into pieces that fit the model. Unchanged pieces keep their "
    "ids and vectors. Other programs may write rows here too.",
)
def document_chunks(
    context: dg.AssetExecutionContext,
    config: CutConfig,
    parts: dg.ResourceParam[Parts],
    watcher: dg.ResourceParam[Watcher],
) -> Iterator[dg.MaterializeResult[None]]:
    """Cut each partition's documents whose text is new."""

    def cut(key: PartitionKey) -> Made:
        teller = _teller(context, watcher, key, "cutting")
        report = parts.ingestion.cut_documents(key, teller, config.allow_shrink)
        _, count = parts.documents.counts(key)
        return Made(chunks_metadata(report, count), parts.coverage.content_digest(key))

    yield from materialize_together(context, parts, cut)


def _teller(
    context: dg.AssetExecutionContext, watcher: Watcher, key: PartitionKey, doing: str
) -> Callable[[str], None]:
    """What says, in the run's log and to the watcher, that a document's turn has come."""

    def told(document: str) -> None:
        watcher.document(key, document)
        context.log.info(f"{doing} {document}")

    return told


class VectorizeConfig(dg.Config):
    """Run config of `silver/vectorized_chunks`."""

    batch_size: int | None = Field(None, description="Chunks in a batch. Unset: EMBEDDING_BATCH_SIZE.")
    force_revectorize: bool = Field(False, description="Embed current and quarantined chunks too.")
    limit: int | None = Field(None, description="At most so many chunks of a partition; the rest stays pending.")
    progress_interval_seconds: float = Field(
        1.0, description="Between two progress events at least; 0 logs every batch."
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


@dg.asset(
    key=VECTORIZED_CHUNKS,
    deps=[DOCUMENT_CHUNKS],
    partitions_def=PARTITIONS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"huggingface", "postgres"},
    output_required=False,
    pool=EMBEDDER_POOL,
    description="One current vector for every chunk, in pgvector. Pending chunks are embedded batch by batch; every "
    "batch is committed, then shown as an observation with percent, speed and time left.",
)
def vectorized_chunks(
    context: dg.AssetExecutionContext,
    config: VectorizeConfig,
    parts: dg.ResourceParam[Parts],
    watcher: dg.ResourceParam[Watcher],
) -> Iterator[dg.MaterializeResult[None]]:
    """Embed each partition's pending chunks."""
    context.log.info(f"embedding with {parts.settings.embedding_model}")
    yield from materialize_each(context, parts, lambda key: _vectorize(context, config, parts, watcher, key))


def _vectorize(
    context: dg.AssetExecutionContext, config: VectorizeConfig, parts: Parts, watcher: Watcher, key: PartitionKey
) -> Made:
    """One partition.

    Raises:
        VectorAssetsError: it could not be done.
        dagster.Failure: too many of its chunks failed, with the totals.
    """
    config.check()
    tell_of_other_programs(context, parts, key)
    space = parts.embedder.space
    events = ProgressEvents(context, key, config.progress_interval_seconds, config.event_detail)
    with parts.partition_locks.held(key, space.slug, context.run_id) as lock:

        def told(progress: BatchProgress) -> None:
            watcher.batch(key, progress)
            events.tell(progress)
            if lost := lock.warning():
                context.log.warning(lost)

        vectorizer = parts.vectorizer(config.batch_size)
        with interrupts_set(parts.retries.ended):
            report = vectorizer.vectorize_partition(
                key, config.force_revectorize, told, limit=config.limit, run_id=context.run_id
            )
        events.close()
    parts.last_runs.record(key, space.slug, report)
    status = parts.coverage.partition_status(key, space.slug)
    for line in report.warnings():
        context.log.warning(line)
    if status.quarantined:
        context.log.warning(f"{status.quarantined:,} chunks are quarantined. See vector-assets failures {key}")
    device = parts.embedder.device if report.processed else None
    metadata = vectors_metadata(report, space, device, status, events)
    limit = parts.settings.max_failed_fraction if config.max_failed_fraction is None else config.max_failed_fraction
    if report.failed_too_many(limit):
        # Another attempt of the step would find nothing pending, and turn the partition green.
        raise failure_of(TooManyFailures(str(key), report.failed_count, report.processed, limit), metadata)
    return Made(metadata, f"{space.slug}:{parts.coverage.content_digest(key)}")


ASSETS = [documents, document_chunks, vectorized_chunks]


def in_ranges(most_partitions: int) -> list[dg.AssetsDefinition]:
    """The assets, of which a backfill puts up to so many neighbouring partitions into one run, with one model."""
    policy = dg.BackfillPolicy.multi_run(most_partitions)
    return [asset.with_attributes(backfill_policy=policy) for asset in ASSETS]
