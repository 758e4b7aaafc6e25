"""Facts of a partition in which nothing is wrong, to be changed by tests."""

from dataclasses import replace
from typing import Any

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.reports import StageSeconds, VectorizeReport
from vector_assets.quality.chunk_checks import ChunkFacts, DocumentReadability
from vector_assets.quality.limits import QualityLimits
from vector_assets.quality.partition_facts import ChunkText, NearestChunk, PartitionVectorFacts
from vector_assets.quality.vector_facts import AuditedRun, DriftFacts, RetrievalFacts, VectorFacts

KEY = PartitionKey("us", "annual_report", "XTEST")
GOOD_REPORT = VectorizeReport(
    run_id="run 1",
    total=10,
    batches=1,
    vectorized_count=10,
    superseded_count=0,
    failed_count=0,
    tokens=1000,
    tokens_embedded=1000,
    unknown_tokens=0,
    truncated_chunks=0,
    callback_errors=0,
    seconds=1.0,
    stages=StageSeconds(),
    script="latin",
)
GOOD_STORED = PartitionVectorFacts(
    chunks=10,
    pending=0,
    missed=0,
    failed_once=0,
    quarantined=0,
    current=10,
    read=10,
    without_vector=0,
    wrong_hash=0,
    wrong_norm=0,
    vectors=10,
    truncated_chunks=0,
    tokens=1000,
    tokens_lost=0,
    most_truncated=(),
    compared=10,
    shared_vectors=(),
    sample=(),
)
GOOD_VECTORS = VectorFacts(
    partition=KEY,
    run=AuditedRun(GOOD_REPORT, limit=None, max_failed_fraction=0.05, moment="1"),
    limits=QualityLimits(),
    max_tokens=256,
    chunk_tokens=256,
    stored=GOOD_STORED,
    failed=(),
    collapsed=(),
    sample_tokens=None,
    drift=DriftFacts(0.9999, "cpu"),
    retrieval=RetrievalFacts((NearestChunk(1, 0.0001, 1, 0.0001, 10),), from_run=1),
)
GOOD_CHUNKS = ChunkFacts(
    limits=QualityLimits(),
    tokens_limit=256,
    chunks=10,
    chunks_of_partition=10,
    empty=0,
    empty_chunks=(),
    fragments=0,
    fragment_chunks=(),
    longest_counted=8,
    too_long=(),
    documents={"a.txt": DocumentReadability(10_000, 0.0)},
    most_unreadable=(),
)


def stored(**changes: Any) -> VectorFacts:
    """Something else is stored."""
    return replace(GOOD_VECTORS, stored=replace(GOOD_STORED, **changes))


def after(facts: VectorFacts = GOOD_VECTORS, *, limit: int | None = None, **changes: Any) -> VectorFacts:
    """The run did something else."""
    return replace(facts, run=replace(facts.run, report=replace(facts.run.report, **changes), limit=limit))


def chunk(number: int, text: str = "text") -> ChunkText:
    """A chunk of a.txt."""
    return ChunkText(number, "a.txt", number, text)
