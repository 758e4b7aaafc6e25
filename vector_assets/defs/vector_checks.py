"""What is promised of `silver/vectorized_chunks`, and judged after each run of a partition."""

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import dagster as dg
import numpy as np

from ..domain.partition_keys import PartitionKey
from ..domain.reports import VectorizeReport
from ..domain.spaces import Vectors
from ..domain.wording import readable_line
from ..errors import BadVectors, EmbedderDrifted
from ..quality.drift import REFERENCE_TEXTS
from ..quality.scripts import Script, script_of, sight_sentence
from ..quality.vectors import UNIT_NORMS, seen_as
from ..services import Services
from ..storage.audit_facts import ChunkText, Nearest, Twins, VectorEvidence
from ..vectorizer.embed_deadline import EmbedDeadline
from ..vectorizer.thread_stages import map_in_order, run_in_thread
from .check_events import ERROR, WARN, Check, Verdict, counted, limit_of, table

# One chunk is embedded again, and one more for each two thousand that the run embedded: a two-thousandth of its
# work. Where rows are in the wrong order nearly every one tells; sixteen are enough of the largest partition: where a
# tenth of the rows is wrong, four times in five one of that tenth is among them, and the next run tries others.
_ONE_MORE_FOR = 2000
_MOST_TRIED = 16

# Nearer than the chunk's own vector by more than this is another one's. None of 500 chunks of real filings was, by 2e-7
# at most; and the two nearest chunks with different tokens are 1e-5 apart.
_ROUNDING = 1e-5

_SHOWN_CHARACTERS = 120

NO_DRIFT = "no_drift"


@dataclass(frozen=True)
class VectorFacts:
    """What a run did, and what is stored after it.

    `limit` is how many chunks the run was to take at most, `max_failed_fraction` the share that may fail.
    """

    services: Services
    key: PartitionKey
    report: VectorizeReport
    limit: int | None
    max_failed_fraction: float
    stored: VectorEvidence


def gather(
    services: Services,
    key: PartitionKey,
    report: VectorizeReport,
    limit: int | None,
    max_failed_fraction: float,
    moment: str,
) -> VectorFacts:
    """After a run that began at the moment (see `Evidence.moment`).

    Raises:
        DatabaseError: it could not be read.
    """
    stored = services.evidence.of_vectors(key, services.space.slug, report.run_id, moment, UNIT_NORMS.tolerance)
    return VectorFacts(services, key, report, limit, max_failed_fraction, stored)


def complete(facts: VectorFacts) -> Verdict:
    """Broken by what the run should have done and did not, and by too many failures, be they of an earlier run.

    What is pending for a good reason is a warning: the promise does not hold now, and the next run keeps it.
    """
    stored = facts.stored
    wrong, waits = _undone(facts), _pending_for_a_reason(facts)
    current = f"{stored.current:,} of {counted(stored.chunks, 'chunk')} are current."
    evidence: dict[str, dg.MetadataValue] = {
        "chunks": dg.MetadataValue.int(stored.chunks),
        "current": dg.MetadataValue.int(stored.current),
        "pending": dg.MetadataValue.int(stored.pending),
        "quarantined": dg.MetadataValue.int(stored.quarantined),
        "quarantined_fraction": dg.MetadataValue.float(round(_quarantined_fraction(stored), 4)),
        "max_failed_fraction": limit_of(facts.max_failed_fraction),
        "without_vector": dg.MetadataValue.int(stored.without_vector),
        "superseded": dg.MetadataValue.int(facts.report.superseded_count),
    }
    if stored.quarantined:
        listed = facts.services.quarantine.chunks(facts.services.space.slug, [facts.key], 10)
        evidence["quarantined_chunks"] = table(
            {
                "document": chunk.document,
                "chunk_index": chunk.chunk_index,
                "error": chunk.error,
                "message": readable_line(chunk.message, _SHOWN_CHARACTERS),
            }
            for chunk in listed
        )
    severity = ERROR if wrong else WARN
    return Verdict(not wrong and not waits, " ".join([current, *wrong, *waits]), evidence, severity)


def _quarantined_fraction(stored: VectorEvidence) -> float:
    return stored.quarantined / stored.chunks if stored.chunks else 0.0


def _left_behind(facts: VectorFacts) -> int:
    """Pending since before the run, and nothing kept the run from them.

    A chunk that another program holds is passed over as superseded, and may stay as it was.
    """
    if facts.limit is not None and facts.report.processed >= facts.limit:
        return 0
    return max(facts.stored.left_behind - facts.report.superseded_count, 0)


def _undone(facts: VectorFacts) -> list[str]:
    stored, limit = facts.stored, facts.max_failed_fraction
    found = []
    if left := _left_behind(facts):
        found.append(
            f"{counted(left, 'chunk')} of it had been pending when the run began, and still are. Run it again."
        )
    if stored.without_vector:
        found.append(
            f"{counted(stored.without_vector, 'chunk')} count as current and have no vector in this space. Run it with "
            "force_revectorize."
        )
    # As in a run: above 0, a single one says something of that chunk only.
    tolerated = 1 if limit > 0 else 0
    if stored.quarantined > tolerated and _quarantined_fraction(stored) > limit:
        found.append(
            f"{stored.quarantined:,} are quarantined ({_quarantined_fraction(stored):.1%}), more than "
            f"max_failed_fraction lets pass ({limit:.1%}). See vector-assets failures {facts.key}; once it is mended, "
            f"vector-assets retry-failed {facts.key}"
        )
    return found


def _pending_for_a_reason(facts: VectorFacts) -> list[str]:
    waiting = facts.stored.pending - _left_behind(facts)
    if waiting <= 0:
        return []
    if facts.limit is not None and facts.report.processed >= facts.limit:
        return [f"{counted(waiting, 'chunk')} wait, for the run was to take {facts.limit:,} at most."]
    return [f"{counted(waiting, 'chunk')} wait: they came, or were changed, while the run was at work."]


def vectors_valid(facts: VectorFacts) -> Verdict:
    """By what the run refused, by the length of every vector, and by equal vectors among some hundred of them.

    That none is infinite or no number is the column's own doing: it takes no such vector.
    """
    stored, refused = facts.stored, dict(facts.report.faults)
    collapsed = [twins for twins in stored.twins if _look_different(facts.services, twins)]
    found = []
    if refused:
        which = ", ".join(f"{count:,} {fault}" for fault, count in sorted(refused.items()))
        found.append(f"The embedder gave vectors that were refused: {which}. See vector-assets failures {facts.key}")
    if stored.off_norm:
        found.append(
            f"{counted(stored.off_norm, 'stored vector')} have another length than {UNIT_NORMS.length:g} "
            f"± {UNIT_NORMS.tolerance:g}: another program wrote them. Run it with force_revectorize."
        )
    if collapsed:
        found.append(
            f"Of {stored.compared:,} vectors, {sum(twins.chunks for twins in collapsed):,} are those of another text "
            "too. See whether the embedder mixes texts up, then run it with force_revectorize."
        )
    evidence: dict[str, dg.MetadataValue] = {
        "refused": dg.MetadataValue.int(sum(refused.values())),
        "stored": dg.MetadataValue.int(stored.current),
        "off_norm": dg.MetadataValue.int(stored.off_norm),
        "norm": dg.MetadataValue.text(f"{UNIT_NORMS.length:g} ± {UNIT_NORMS.tolerance:g}"),
        "compared": dg.MetadataValue.int(stored.compared),
        "collapsed": dg.MetadataValue.int(sum(twins.chunks for twins in collapsed)),
    }
    if refused:
        evidence["faults"] = table({"fault": fault, "vectors": count} for fault, count in sorted(refused.items()))
    if collapsed:
        evidence["the_same_vector"] = table(
            {"one": _named(twins.one), "other": _named(twins.other), "chunks": twins.chunks} for twins in collapsed
        )
    good = f"None of this run's vectors was refused, and all {stored.current:,} that are stored have length 1."
    return Verdict(not found, " ".join(found) or good, evidence)


def _look_different(services: Services, twins: Twins) -> bool:
    """Texts that look alike to the model, as 3 % of real chunks do, rightly have one vector."""
    one, other = services.embedder.tokenize([twins.one.text, twins.other.text])
    return seen_as(one) != seen_as(other)


def nothing_truncated(facts: VectorFacts) -> Verdict:
    """By the partition as it is stored: a chunk that an earlier run cut is cut as much as one of this run."""
    stored, report, space = facts.stored, facts.report, facts.services.space
    limit = min(facts.services.settings.chunk_tokens, space.max_tokens)
    share = stored.tokens_lost / stored.tokens if stored.tokens else 0.0
    may_be = facts.services.settings.max_lost_share
    evidence: dict[str, dg.MetadataValue] = {
        "partition/truncated_chunks": dg.MetadataValue.int(stored.cut),
        "partition/tokens_lost": dg.MetadataValue.int(stored.tokens_lost),
        "limit": limit_of(may_be),
        "partition/tokens_lost_share": dg.MetadataValue.float(round(share, 4)),
        "run/truncated_chunks": dg.MetadataValue.int(report.truncated_chunks),
        "run/tokens_lost": dg.MetadataValue.int(report.tokens - report.tokens_embedded),
        "model_tokens": limit_of(space.max_tokens),
        "chunk_tokens": limit_of(facts.services.settings.chunk_tokens),
    }
    if not stored.cut:
        words = f"The model has seen all of the {counted(stored.tokens, 'token')} of {stored.current:,} chunks."
        return Verdict(True, words, evidence, WARN)
    evidence["worst"] = table(
        {
            "document": chunk.document,
            "chunk_index": chunk.chunk_index,
            "tokens": chunk.token_count,
            "tokens_lost": chunk.token_count - chunk.tokens_embedded,
        }
        for chunk in stored.worst_truncated
    )
    words = (
        f"{stored.cut:,} of {counted(stored.current, 'chunk')} are longer than the {space.max_tokens:,} tokens that "
        f"the model reads; {stored.tokens_lost:,} tokens ({share:.1%}) were not seen"
    )
    if share <= may_be:
        return Verdict(True, f"{words}, which may be.", evidence, WARN)
    mend = (
        f"Cut them smaller: VECTOR_ASSETS_CHUNK_TOKENS says at most {limit:,} tokens of what is cut here, and chunks "
        "that another program wrote are its own to cut."
    )
    return Verdict(False, f"{words}. {mend}", evidence, WARN)


def vocabulary_covers_text(facts: VectorFacts) -> Verdict:
    """By the run's tokens, if it embedded most of the partition; else by those of a sample too, if that looks worse.

    A run that embedded nothing, or a little, says little of the partition.
    """
    run, stored, limit = facts.report, facts.stored, facts.services.settings.max_unknown_share
    evidence: dict[str, dg.MetadataValue] = {"limit": limit_of(limit)}
    share, script = 0.0, None
    if run.tokens_embedded:
        share, script = run.unknown_share, Script(run.script)
        evidence["run/unknown_share"] = dg.MetadataValue.float(round(share, 4))
    if 2 * run.vectorized_count < stored.current:
        texts = [chunk.text for chunk in stored.sample]
        tokens = facts.services.embedder.tokenize(texts)
        of_sample = sum(item.unknown_tokens for item in tokens) / max(sum(item.tokens_embedded for item in tokens), 1)
        evidence["sampled_chunks"] = dg.MetadataValue.int(len(texts))
        evidence["sample/unknown_share"] = dg.MetadataValue.float(round(of_sample, 4))
        if script is None or of_sample > share:
            share, script = of_sample, script_of("\n".join(texts))
    if script is None:
        return Verdict(True, "Nothing is current, so no text was looked at.", evidence, WARN)
    evidence["script"] = dg.MetadataValue.text(script.value)
    return Verdict(share <= limit, sight_sentence(share, script, limit), evidence, WARN)


def no_drift(facts: VectorFacts) -> Verdict:
    """By a few fixed texts, compared before the run's first vector was stored; now, if it had none to store.

    Raises:
        EmbedderDrifted: the vectors come out otherwise now; nothing was stored.
        EmbedderHung: the embedder does not answer.
    """
    drift, deadline = facts.services.drift, _deadline(facts)

    def check() -> None:
        with deadline.embedder_call():
            drift.check()

    if drift.result is None:
        run_in_thread(check, deadline)
    assert drift.result is not None
    evidence: dict[str, dg.MetadataValue] = {
        "lowest_cosine": dg.MetadataValue.float(round(drift.result.lowest, 6)),
        "least_cosine": limit_of(drift.result.least),
        "texts": dg.MetadataValue.int(len(REFERENCE_TEXTS)),
        "device": dg.MetadataValue.text(facts.services.embedder.device),
    }
    words = f"{len(REFERENCE_TEXTS)} fixed texts come out as ever, at a cosine of {drift.result.lowest:.4f} or more."
    return Verdict(True, words, evidence)


def drifted(error: EmbedderDrifted, least_cosine: float) -> list[tuple[str, Verdict]]:
    """What is said of a partition when drift has stopped its run."""
    evidence = {"lowest_cosine": dg.MetadataValue.float(round(error.cosine, 6)), "least_cosine": limit_of(least_cosine)}
    return [(NO_DRIFT, Verdict(False, str(error), evidence))]


def self_retrieval(facts: VectorFacts) -> Verdict:
    """Some chunks are embedded again, and each must be its own nearest neighbour in the partition.

    It is where rows that were stored under other chunks' ids show, and vectors of another model.
    """
    tried = _tried(facts.stored.sample, facts.report.processed)
    if not tried:
        return Verdict(True, "Nothing is current, so nothing was looked for.", {"tried": dg.MetadataValue.int(0)})
    slug, least = facts.services.space.slug, facts.services.settings.min_retrieval_cosine
    vectors = _embedded_again(facts, tried)
    found = facts.services.evidence.nearest(facts.key, slug, [chunk.id for chunk in tried], vectors)
    lost = [one for one in found if not _found_itself(one, least)]
    evidence: dict[str, dg.MetadataValue] = {
        "tried": dg.MetadataValue.int(len(found)),
        "of_this_run": dg.MetadataValue.int(sum(chunk.is_new for chunk in tried)),
        "least_cosine": limit_of(least),
    }
    if found:
        lowest = min(_cosine(one.own_distance) for one in found)
        evidence["lowest_cosine"] = dg.MetadataValue.float(round(lowest, 6))
    if not lost:
        words = (
            f"Of {counted(facts.stored.current, 'chunk')}, {len(found):,} embedded again found its own vector first."
        )
        return Verdict(True, words, evidence)
    names = facts.services.evidence.named([id_ for one in lost for id_ in (one.chunk_id, one.nearest_id)])
    evidence["lost"] = table(
        {
            "chunk": _named(names.get(one.chunk_id)),
            "cosine": round(_cosine(one.own_distance), 4),
            "nearest": _named(names.get(one.nearest_id)),
            "cosine_to_nearest": round(_cosine(one.nearest_distance), 4),
        }
        for one in lost
    )
    words = (
        f"Of {counted(len(found), 'chunk')} embedded again, {len(lost):,} did not find their own vector: rows were "
        "swapped, or made by another model. Search gives wrong answers. Run it with force_revectorize, and see this "
        "check again."
    )
    return Verdict(False, words, evidence)


def _tried(sample: Sequence[ChunkText], processed: int) -> list[ChunkText]:
    """Of a run that embedded so many, half of its own chunks, where there are any, and half of all."""
    size = min(_MOST_TRIED, 1 + processed // _ONE_MORE_FOR)
    new = [chunk for chunk in sample if chunk.is_new]
    chosen = new[: -(-size // 2)]
    return chosen + [chunk for chunk in sample if chunk not in chosen][: size - len(chosen)]


def _embedded_again(facts: VectorFacts, tried: Sequence[ChunkText]) -> Vectors:
    """As in a run: in as many calls at once as the embedder is good for."""
    embedder, deadline = facts.services.embedder, _deadline(facts)
    calls, dimension = embedder.concurrency, facts.services.space.dimension

    def embedded(part: Sequence[ChunkText]) -> Vectors:
        with deadline.embedder_call():
            rows = embedder.embed(embedder.tokenize([chunk.text for chunk in part]))
        if rows.shape != (len(part), dimension):
            raise BadVectors(f"shape {rows.shape} instead of {(len(part), dimension)}")
        return rows

    vectors = np.empty((len(tried), dimension), np.float32)
    parts = (tried[first::calls] for first in range(min(calls, len(tried))))
    with closing(map_in_order(embedded, parts, calls, deadline)) as answers:
        for first, rows in enumerate(answers):
            vectors[first::calls] = rows
    return vectors


def _deadline(facts: VectorFacts) -> EmbedDeadline:
    return EmbedDeadline(facts.services.space.model, facts.services.settings.embed_timeout_seconds)


def _cosine(distance: float) -> float:
    """A vector that is zero has no distance to any: as far as can be."""
    return -1.0 if math.isnan(distance) else 1 - distance


def _found_itself(one: Nearest, least_cosine: float) -> bool:
    return _cosine(one.own_distance) >= least_cosine and one.own_distance - one.nearest_distance <= _ROUNDING


def _named(chunk: ChunkText | None) -> str:
    return f"{chunk.document} #{chunk.chunk_index}" if chunk else "gone"


VECTOR_CHECKS: Sequence[Check[VectorFacts]] = (
    Check(
        "complete",
        "Every chunk has a current vector or is listed as quarantined, and no more are than may be.",
        complete,
    ),
    Check(
        "vectors_valid",
        "No vector of the run was refused; those that are stored have length 1, and different texts different ones.",
        vectors_valid,
    ),
    Check("nothing_truncated", "The model has seen every chunk whole.", nothing_truncated),
    Check(NO_DRIFT, "The model makes the vectors that it made when the space was new.", no_drift),
    Check(
        "vocabulary_covers_text",
        "The model's vocabulary holds nearly all of the tokens: it can read the language.",
        vocabulary_covers_text,
    ),
    Check("self_retrieval", "Chunks that are embedded again find their own vectors first.", self_retrieval),
)
