"""The audit gathers all facts about a partition's vectors, over stores of any kind; what fails is one fact's matter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from vector_assets.audit.drift_guard import DriftGuard
from vector_assets.audit.re_embedding import chunks_to_try
from vector_assets.audit.vector_audit import AuditSettings, VectorAudit
from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.quarantine import FailedChunk
from vector_assets.domain.spaces import StoredReferenceVectors, Vectors
from vector_assets.errors import DatabaseUnreachable, EmbedderBroken
from vector_assets.quality.check_result import Severity
from vector_assets.quality.check_runner import NotGathered
from vector_assets.quality.limits import QualityLimits
from vector_assets.quality.partition_facts import ChunkText, NearestChunk, PartitionVectorFacts, SharedVector
from vector_assets.quality.vector_facts import AuditedRun, VectorFacts

from ..fakes import KEY, SPACE, HashEmbedder, vector_of
from ..quality.facts import GOOD_REPORT, GOOD_STORED
from .test_drift_guard import Turned

CHUNKS = tuple(ChunkText(number, "a.txt", number, f"text {number}", from_run=number < 3) for number in range(1, 9))

WITH_SAMPLE = replace(GOOD_STORED, sample=CHUNKS)


@dataclass
class MemoryFacts:
    """Facts without a database; counts the questions. Searching finds the stored texts' vectors exactly."""

    stored: PartitionVectorFacts = WITH_SAMPLE
    texts: dict[int, str] = field(default_factory=lambda: {chunk.id: chunk.text for chunk in CHUNKS})
    asked: list[str] = field(default_factory=list)

    def of_vectors(self, *_: object) -> PartitionVectorFacts:
        self.asked.append("of_vectors")
        return self.stored

    def nearest(
        self, _: PartitionKey, __: str, ___: str, chunk_ids: Sequence[int], vectors: Vectors
    ) -> list[NearestChunk]:
        self.asked.append("nearest")
        found = []
        for id_, vector in zip(chunk_ids, vectors, strict=True):
            distances = {other: float(1 - vector_of(text) @ vector) for other, text in self.texts.items()}
            nearest = min(distances, key=lambda other: distances[other])
            found.append(NearestChunk(id_, distances[id_], nearest, distances[nearest], len(self.texts)))
        return found

    def named(self, chunk_ids: Sequence[int]) -> dict[int, ChunkText]:
        self.asked.append("named")
        return {chunk.id: chunk for chunk in CHUNKS if chunk.id in chunk_ids}


class NoQuarantine:
    """Lists no chunk, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def chunks(self, *_: object) -> list[FailedChunk]:
        self.asked += 1
        return []


class MemoryReferences:
    """Keeps what `HashEmbedder` makes."""

    def kept(self, *_: object) -> StoredReferenceVectors:
        from vector_assets.quality.drift import REFERENCE_TEXTS

        return StoredReferenceVectors(np.stack([vector_of(text) for text in REFERENCE_TEXTS]), "cpu")

    def keep(self, *_: object) -> None:
        raise AssertionError("there are some already")


Audit = Callable[..., VectorAudit]


@pytest.fixture
def facts() -> MemoryFacts:
    return MemoryFacts()


@pytest.fixture
def quarantine() -> NoQuarantine:
    return NoQuarantine()


@pytest.fixture
def audit(facts: MemoryFacts, quarantine: NoQuarantine) -> Audit:
    """Over these stores, with any embedder."""

    def made(embedder: HashEmbedder | None = None) -> VectorAudit:
        embedder = embedder or HashEmbedder()
        limits = QualityLimits()
        drift = DriftGuard(embedder, MemoryReferences(), SPACE, limits.min_drift_cosine)
        return VectorAudit(facts, quarantine, embedder, SPACE, drift, AuditSettings(limits, 256, 30))

    return made


def run(**changes: Any) -> AuditedRun:
    return AuditedRun(replace(GOOD_REPORT, **changes), None, 0.05, "1")


def failed(audit: VectorAudit, audited: AuditedRun) -> dict[str, Severity]:
    return {name: result.severity for name, result in audit.results(KEY, audited) if not result.passed}


def test_a_good_partition_costs_two_questions(facts: MemoryFacts, quarantine: NoQuarantine, audit: Audit) -> None:
    """Names and quarantined chunks are read only where they are shown."""
    assert failed(audit(), run()) == {}
    assert (facts.asked, quarantine.asked) == (["of_vectors", "nearest"], 0)


def test_facts_are_values(audit: Audit) -> None:
    """Everything is gathered when they are returned, so that they can be judged later and twice."""
    gathered = audit().facts(KEY, run())

    assert isinstance(gathered, VectorFacts)
    assert isinstance(hash((gathered.stored, gathered.drift, gathered.collapsed)), int)
    assert len(gathered.retrieval.found) == 1
    assert gathered.sample_tokens is None


def test_quarantined_chunks_are_read_where_there_are_some(
    facts: MemoryFacts, quarantine: NoQuarantine, audit: Audit
) -> None:
    """For the table of examples."""
    facts.stored = replace(facts.stored, quarantined=1, current=9)

    audit().facts(KEY, run())

    assert quarantine.asked == 1


def test_a_sample_is_tokenized_where_the_run_embedded_little(audit: Audit) -> None:
    """All of its texts, which are in Latin letters."""
    sample = audit().facts(KEY, run(vectorized_count=4)).sample_tokens

    assert (sample.chunks, sample.tokens_embedded, sample.script) == (len(CHUNKS), 2 * len(CHUNKS), "latin")


def test_only_texts_that_differ_for_the_model_have_collapsed(facts: MemoryFacts, audit: Audit) -> None:
    """Beyond the model's limit texts may differ and rightly share a vector."""
    pair = SharedVector(2, CHUNKS[0], CHUNKS[1])
    facts.stored = replace(facts.stored, shared_vectors=(pair,))

    class OneToken(HashEmbedder):
        def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
            return [replace(item, ids=np.array([7], np.int32)) for item in super().tokenize(texts)]

    assert audit().facts(KEY, run()).collapsed == (pair,)
    assert audit(OneToken()).facts(KEY, run()).collapsed == ()


def test_swapped_rows_do_not_find_themselves_and_are_named(facts: MemoryFacts, audit: Audit) -> None:
    """Then the names cost one more question."""
    facts.texts = {chunk.id: f"text {9 - chunk.id}" for chunk in CHUNKS}

    gathered = audit().facts(KEY, run())

    (found,) = gathered.retrieval.found
    assert found.nearest_id == 9 - found.chunk_id
    assert set(gathered.retrieval.names) == {found.chunk_id, found.nearest_id}
    assert facts.asked == ["of_vectors", "nearest", "named"]


def test_a_run_that_embedded_nothing_looks_for_drift_itself(audit: Audit) -> None:
    """It is an error, not a check that could not run: the vectors that search compares are no longer made."""
    drifted = audit(Turned(0.9))

    results = dict(drifted.results(KEY, run(vectorized_count=0)))

    assert not results["no_drift"].passed
    assert results["no_drift"].severity is Severity.ERROR
    assert results["no_drift"].figures["lowest_cosine"] == pytest.approx(0.9, abs=1e-5)


def test_an_embedder_that_fails_is_a_warning_of_the_checks_that_need_it(audit: Audit) -> None:
    """What the tables show is judged all the same."""

    class Broken(HashEmbedder):
        def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
            raise RuntimeError("out of order")

    broken = audit(Broken())

    assert failed(broken, run()) == {"no_drift": Severity.WARNING, "self_retrieval": Severity.WARNING}
    gathered = broken.facts(KEY, run())
    assert isinstance(gathered.drift, NotGathered)
    assert isinstance(gathered.drift.error, EmbedderBroken)


def test_vectors_of_another_shape_are_a_warning(audit: Audit) -> None:
    """They cannot be searched with."""

    class Short(HashEmbedder):
        def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
            vectors = super().embed(texts)
            return vectors[:, 1:] if len(texts) == 1 else vectors

    assert failed(audit(Short()), run()) == {"self_retrieval": Severity.WARNING}


def test_an_embedder_that_hangs_is_left_behind(facts: MemoryFacts, audit: Audit) -> None:
    """The deadline of a run holds for the audit as well."""
    from threading import Event

    answered = Event()

    class Hung(HashEmbedder):
        def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
            if len(texts) == 1:
                answered.wait()
            return super().embed(texts)

    hung = audit(Hung())
    hung = replace(hung, settings=replace(hung.settings, embed_timeout_seconds=0.2))
    try:
        assert failed(hung, run()) == {"self_retrieval": Severity.WARNING}
    finally:
        answered.set()


def test_a_database_that_is_gone_is_a_warning_of_all_checks(
    facts: MemoryFacts, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And raises nothing: the run has done its work."""

    def gone(*_: object) -> None:
        raise DatabaseUnreachable("postgresql://db", "it is away")

    monkeypatch.setattr(facts, "of_vectors", gone)

    assert set(failed(audit(), run()).values()) == {Severity.WARNING}
    assert len(failed(audit(), run())) == 6


@pytest.mark.parametrize(
    ("processed", "tried", "own"), [(0, 1, 1), (1999, 1, 1), (2000, 2, 1), (4000, 3, 2), (1_000_000, 8, 2)]
)
def test_the_more_a_run_embedded_the_more_chunks_are_tried(processed: int, tried: int, own: int) -> None:
    """Half of them its own, none twice, and no more than the sample has."""
    chosen = chunks_to_try(CHUNKS, processed)

    assert len(chosen) == len(set(chosen)) == tried
    assert sum(chunk.from_run for chunk in chosen[: -(-tried // 2)]) == own


def test_chunks_are_embedded_in_as_many_calls_as_are_worth_it(facts: MemoryFacts, audit: Audit) -> None:
    """Whatever the split, each chunk keeps its own vector."""
    embedder = HashEmbedder()
    embedder.concurrency = 3
    calls: list[int] = []
    embedder.before = lambda texts: calls.append(len(texts))

    assert failed(audit(embedder), run(vectorized_count=20_000)) == {}
    assert sorted(calls) == [2, 3, 3]
