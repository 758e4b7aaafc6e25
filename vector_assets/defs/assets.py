"""The partitioned assets: documents, their chunks, and a vector for every chunk in each live embedding space."""

from collections.abc import Callable
from functools import cache

import dagster as dg
from pydantic import Field

from ..domain.partition_keys import PartitionKey
from ..errors import NoSpaceToFill
from ..ports import ProgressListener, RunListener
from ..quality.check_runner import run_checks
from ..quality.chunk_checks import CHUNK_CHECKS
from ..quality.document_checks import DOCUMENT_CHECKS, DocumentFacts
from ..quality.vector_checks import VECTOR_CHECKS
from ..services import Services
from ..translation import marked, translate
from .asset_keys import CANDIDATE_VECTORS, DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from .check_events import outputs_of_checks, specs_of
from .materialization_metadata import chunks_metadata, documents_metadata
from .partition_ranges import PartitionedStep, PartitionResult, Results
from .partitions import PARTITIONS
from .run_progress import RunProgress
from .step_failures import one_line_failures
from .table_columns import CHUNK_COLUMNS, DOCUMENT_COLUMNS, VECTOR_COLUMNS
from .vectorize_step import VectorizeConfig, chunks_to_embed, vectorize

# One group: the graph of all assets shows it whole, where several would be closed boxes.
GROUP = "vector_assets"
OWNERS = ["team:data-engineering"]
TAGS = {"domain": "company_filings"}
_COLUMNS = "dagster/column_schema"
EMBEDDER_POOL = "vector_assets_embedder"
"""Runs that embed share it; dagster.yaml says how many of them may be at work at once."""


@dg.asset(
    key=DOCUMENTS,
    partitions_def=PARTITIONS,
    group_name=GROUP,
    owners=OWNERS,
    tags=TAGS,
    metadata={_COLUMNS: DOCUMENT_COLUMNS},
    kinds={"file", "postgres"},
    check_specs=specs_of(DOCUMENTS, DOCUMENT_CHECKS),
    description="Filings as text, one row per document, read from the landing directory. New and changed files are "
    "read; one that cannot be used is listed with the reason and skipped.",
)
def documents(
    context: dg.AssetExecutionContext,
    vector_assets_services: dg.ResourceParam[Services],
    vector_assets_listener: dg.ResourceParam[RunListener],
) -> Results:
    """Read each partition's new and changed documents."""
    services, listener = vector_assets_services, vector_assets_listener

    def read(key: PartitionKey) -> PartitionResult:
        report = services.ingestion.read_documents(
            key, _document_log(context, listener, key, marked("reading {document}"))
        )
        count, _ = services.documents.counts(key)
        for rejection in report.rejections:
            context.log.warning(rejection.message)
        facts = DocumentFacts(report.files, report.rejections, report.warnings)
        results = run_checks(DOCUMENT_CHECKS, facts)
        return PartitionResult(documents_metadata(report, count), services.documents.content_digest(key), results)

    yield from PartitionedStep(context, services, listener, read).materialize_together()


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
    tags=TAGS,
    metadata={_COLUMNS: CHUNK_COLUMNS},
    kinds={"postgres"},
    check_specs=specs_of(DOCUMENT_CHUNKS, CHUNK_CHECKS),
    description="Documents chunked at paragraphs and sentences, in pieces that fit the model. Unchanged chunks keep "
    "their ids and vectors. Other programs may write rows too.",
)
def document_chunks(
    context: dg.AssetExecutionContext,
    config: ChunkingConfig,
    vector_assets_services: dg.ResourceParam[Services],
    vector_assets_listener: dg.ResourceParam[RunListener],
) -> Results:
    """Chunk each partition's documents whose text is new."""
    services, listener = vector_assets_services, vector_assets_listener

    def chunk(key: PartitionKey) -> PartitionResult:
        log_document = _document_log(context, listener, key, marked("chunking {document}"))
        report = services.ingestion.chunk_documents(key, log_document, config.allow_shrink)
        services.term_filler.fill(key)
        _, count = services.documents.counts(key)
        services.partition_counts.merge_chunk_counts(key)
        results = services.chunk_audit.results(key, report.document_ids, context.run_id)
        return PartitionResult(chunks_metadata(report, count), services.coverage.content_digest(key), results)

    yield from PartitionedStep(context, services, listener, chunk).materialize_together()


def _document_log(
    context: dg.AssetExecutionContext, listener: ProgressListener, key: PartitionKey, message: str
) -> Callable[[str], None]:
    """Give the callback that logs a message with the document, and shows to the listener which document it is."""

    def log_document(document: str) -> None:
        listener.document(key, document)
        context.log.info(translate(message, document=document))

    return log_document


@dg.asset(
    key=VECTORIZED_CHUNKS,
    deps=[DOCUMENT_CHUNKS],
    partitions_def=PARTITIONS,
    group_name=GROUP,
    owners=OWNERS,
    tags=TAGS,
    metadata={_COLUMNS: VECTOR_COLUMNS},
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
    vector_assets_services: dg.ResourceParam[Services],
    vector_assets_listener: dg.ResourceParam[RunListener],
) -> Results:
    """Embed each partition's pending chunks in the space that serves."""
    services = vector_assets_services
    yield from _embed_each(context, config, services, vector_assets_listener, lambda: services.in_serving_space)


@dg.asset(
    key=CANDIDATE_VECTORS,
    deps=[DOCUMENT_CHUNKS],
    partitions_def=PARTITIONS,
    group_name=GROUP,
    owners=OWNERS,
    tags=TAGS,
    metadata={_COLUMNS: VECTOR_COLUMNS},
    kinds={"huggingface", "postgres"},
    check_specs=specs_of(CANDIDATE_VECTORS, VECTOR_CHECKS),
    output_required=False,
    pool=EMBEDDER_POOL,
    description="The same chunks in the embedding space that is filled beside the serving one, where there is one: the "
    "vectors of the next model before it serves, or of the former one after that. Progress, checks and runs are those "
    "of silver/vectorized_chunks.",
)
def candidate_vectors(
    context: dg.AssetExecutionContext,
    config: VectorizeConfig,
    vector_assets_services: dg.ResourceParam[Services],
    vector_assets_listener: dg.ResourceParam[RunListener],
) -> Results:
    """Embed each partition's pending chunks in the space that is being filled. Where there is none, do nothing."""
    services = vector_assets_services
    with one_line_failures(context, services.retries.pause):
        is_filling = services.spaces.filling() is not None
    if not is_filling:
        context.log.warning(str(NoSpaceToFill()))
        yield from outputs_of_checks(context)
        return
    yield from _embed_each(context, config, services, vector_assets_listener, lambda: services.in_filling_space)


def _embed_each(
    context: dg.AssetExecutionContext,
    config: VectorizeConfig,
    services: Services,
    listener: RunListener,
    find_space: Callable[[], Services],
) -> Results:
    """Embed each partition's pending chunks with the services of one space."""

    @cache
    def in_space() -> Services:
        """Look the space up once for the run, in a partition's turn: what is wrong fails it in one line."""
        found = find_space()
        context.log.info(translate("embedding with {model}", model=found.space.model))
        return found

    @cache
    def run_progress() -> RunProgress | None:
        """Count what the run has to embed, where it has several partitions."""
        if context.has_partition_key:
            return None
        keys = [PartitionKey.parse(key) for key in context.partition_keys]
        return RunProgress(chunks_to_embed(in_space(), config, keys))

    def embed(key: PartitionKey) -> PartitionResult:
        return vectorize(context, config, in_space(), listener, key, run_progress())

    yield from PartitionedStep(context, services, listener, embed).materialize_each()


ASSETS = [documents, document_chunks, vectorized_chunks, candidate_vectors]


def in_ranges(most_partitions: int) -> list[dg.AssetsDefinition]:
    """Give the assets such that a backfill puts up to so many neighboring partitions into one run, with one model."""
    policy = dg.BackfillPolicy.multi_run(most_partitions)
    return [asset.with_attributes(backfill_policy=policy) for asset in ASSETS]
