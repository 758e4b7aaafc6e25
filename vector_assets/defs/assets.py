"""The three assets: documents, the chunks cut from them, and a vector for every chunk."""

from collections.abc import Callable

import dagster as dg
from pydantic import Field

from ..domain.partition_keys import PartitionKey
from ..quality.chunk_checks import CHUNK_CHECKS
from ..quality.vector_checks import VECTOR_CHECKS
from ..services import Services
from .asset_keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from .check_events import specs_of
from .materialization_metadata import chunks_metadata, documents_metadata
from .partition_ranges import Made, Results, materialize_each, materialize_together
from .partitions import PARTITIONS
from .resources import ProgressListener
from .vectorize_step import VectorizeConfig, vectorize

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
    context: dg.AssetExecutionContext,
    services: dg.ResourceParam[Services],
    listener: dg.ResourceParam[ProgressListener],
) -> Results:
    """Read each partition's new and changed documents."""

    def read(key: PartitionKey) -> Made:
        report = services.ingestion.read_documents(key, _teller(context, listener, key, "reading"))
        count, _ = services.documents.counts(key)
        for rejection in report.rejections:
            context.log.warning(rejection.message)
        return Made(documents_metadata(report, count), services.documents.content_digest(key))

    yield from materialize_together(context, services, read)


class ChunkingConfig(dg.Config):
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
    check_specs=specs_of(DOCUMENT_CHUNKS, CHUNK_CHECKS),
    description="Documents cut at paragraphs and sentences into pieces that fit the model. Unchanged pieces keep their "
    "ids and vectors. Other programs may write rows here too.",
)
def document_chunks(
    context: dg.AssetExecutionContext,
    config: ChunkingConfig,
    services: dg.ResourceParam[Services],
    listener: dg.ResourceParam[ProgressListener],
) -> Results:
    """Cut each partition's documents whose text is new."""

    def cut(key: PartitionKey) -> Made:
        teller = _teller(context, listener, key, "cutting")
        report = services.ingestion.chunk_documents(key, teller, config.allow_shrink)
        _, count = services.documents.counts(key)
        results = services.chunk_audit.results(key)
        return Made(chunks_metadata(report, count), services.coverage.content_digest(key), results)

    yield from materialize_together(context, services, cut)


def _teller(
    context: dg.AssetExecutionContext, listener: ProgressListener, key: PartitionKey, doing: str
) -> Callable[[str], None]:
    """What says, in the run's log and to the watcher, that a document's turn has come."""

    def told(document: str) -> None:
        listener.document(key, document)
        context.log.info(f"{doing} {document}")

    return told


@dg.asset(
    key=VECTORIZED_CHUNKS,
    deps=[DOCUMENT_CHUNKS],
    partitions_def=PARTITIONS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"huggingface", "postgres"},
    check_specs=specs_of(VECTORIZED_CHUNKS, VECTOR_CHECKS),
    output_required=False,
    pool=EMBEDDER_POOL,
    description="One current vector for every chunk, in pgvector. Pending chunks are embedded batch by batch; every "
    "batch is committed, then shown as an observation with percent, speed and time left.",
)
def vectorized_chunks(
    context: dg.AssetExecutionContext,
    config: VectorizeConfig,
    services: dg.ResourceParam[Services],
    listener: dg.ResourceParam[ProgressListener],
) -> Results:
    """Embed each partition's pending chunks."""
    context.log.info(f"embedding with {services.settings.embedding_model}")
    yield from materialize_each(context, services, lambda key: vectorize(context, config, services, listener, key))


ASSETS = [documents, document_chunks, vectorized_chunks]


def in_ranges(most_partitions: int) -> list[dg.AssetsDefinition]:
    """The assets, of which a backfill puts up to so many neighbouring partitions into one run, with one model."""
    policy = dg.BackfillPolicy.multi_run(most_partitions)
    return [asset.with_attributes(backfill_policy=policy) for asset in ASSETS]
