"""The checks of `silver/vectorized_chunks`: pure functions from facts to results, one partition at a time."""

import math
from collections.abc import Sequence

from ..domain.wording import readable_line
from .check_result import CheckResult, Figure, Severity, limit_figure
from .check_runner import Check, gathered
from .drift import REFERENCE_TEXTS
from .partition_facts import NearestChunk
from .plurals import agreeing, counted
from .scripts import Script, vocabulary_sentence
from .vector_facts import DriftFacts, VectorFacts
from .vectors import UNIT_NORM

NO_DRIFT = "no_drift"

# A stored vector that is nearer than the chunk's own by more than this belongs to another chunk. None of 500 chunks of
# real filings was nearer by more than 2e-7, and the two nearest chunks with different tokens are 1e-5 apart.
_ROUNDING = 1e-5

_SHOWN_CHARACTERS = 120


def complete(facts: VectorFacts) -> CheckResult:
    """Fail for what the run should have done and did not, and for too many quarantined chunks, of any run.

    Chunks that are pending for a good reason are a warning: the next run embeds them.
    """
    stored = facts.stored
    errors, reasons = _incomplete(facts), _pending_for_a_reason(facts)
    subject = stored.current if stored.chunks > 1 else stored.chunks
    current = f"{stored.current:,} of {counted(stored.chunks, 'chunk')} {agreeing(subject, 'is', 'are')} current."
    figures: dict[str, Figure] = {
        "chunks": stored.chunks,
        "current": stored.current,
        "pending": stored.pending,
        "quarantined": stored.quarantined,
        "quarantined_fraction": round(_quarantined_fraction(facts), 4),
        "max_failed_fraction": limit_figure(facts.run.max_failed_fraction),
        "without_vector": stored.without_vector,
        "superseded": facts.run.report.superseded_count,
    }
    if stored.quarantined:
        figures["quarantined_chunks"] = tuple(
            {
                "document": chunk.document,
                "chunk_index": chunk.chunk_index,
                "error": chunk.error,
                "message": readable_line(chunk.message, _SHOWN_CHARACTERS),
            }
            for chunk in gathered(facts.quarantined)
        )
    severity = Severity.ERROR if errors else Severity.WARNING
    return CheckResult(not errors and not reasons, " ".join([current, *errors, *reasons]), figures, severity)


def _quarantined_fraction(facts: VectorFacts) -> float:
    return facts.stored.quarantined / facts.stored.chunks if facts.stored.chunks else 0.0


def _missed(facts: VectorFacts) -> int:
    """Count the chunks that the run should have embedded.

    A chunk that another program holds is superseded for the run, and may have been left as it was.
    """
    if facts.run.reached_limit:
        return 0
    return max(facts.stored.missed - facts.run.report.superseded_count, 0)


def _incomplete(facts: VectorFacts) -> list[str]:
    stored, allowed = facts.stored, facts.run.max_failed_fraction
    found = []
    if missed := _missed(facts):
        found.append(
            f"{counted(missed, 'chunk')} {agreeing(missed, 'was', 'were')} pending when the run began and still "
            f"{agreeing(missed, 'is', 'are')}. Run the partition again."
        )
    if missing := stored.without_vector:
        found.append(
            f"{counted(missing, 'chunk')} {agreeing(missing, 'is', 'are')} marked as current but "
            f"{agreeing(missing, 'has', 'have')} no vector in this embedding space. Run the partition again with "
            "force_revectorize."
        )
    # As in a run: above a limit of 0, a single failure says something of that chunk only.
    always_allowed = 1 if allowed > 0 else 0
    if stored.quarantined > always_allowed and _quarantined_fraction(facts) > allowed:
        found.append(
            f"{counted(stored.quarantined, 'chunk')} {agreeing(stored.quarantined, 'is', 'are')} quarantined "
            f"({_quarantined_fraction(facts):.1%}), more than max_failed_fraction allows ({allowed:.1%}). List them "
            f"with vector-assets failures {facts.partition}; when the cause is fixed, run "
            f"vector-assets retry-failed {facts.partition}"
        )
    return found


def _pending_for_a_reason(facts: VectorFacts) -> list[str]:
    pending = facts.stored.pending - _missed(facts)
    if pending <= 0:
        return []
    subject = f"{counted(pending, 'chunk')} {agreeing(pending, 'is', 'are')} still pending"
    if facts.run.reached_limit:
        return [f"{subject} because the run was limited to {counted(facts.run.limit or 0, 'chunk')}."]
    return [f"{subject} because {agreeing(pending, 'it was', 'they were')} added or changed during the run."]


def vectors_valid(facts: VectorFacts) -> CheckResult:
    """Fail for vectors that the run refused, stored vectors of a wrong length, and different texts with one vector.

    A stored vector cannot hold NaN or infinity: the column's type refuses them.
    """
    stored, refused = facts.stored, dict(sorted(facts.run.report.faults.items()))
    shared = gathered(facts.collapsed)
    collapsed = sum(item.chunks for item in shared)
    found = [*_refused(facts, refused), *_wrong_stored(facts, collapsed)]
    figures: dict[str, Figure] = {
        "refused": sum(refused.values()),
        "stored": stored.current,
        "wrong_norm": stored.wrong_norm,
        "norm": f"{UNIT_NORM.length:g} ± {UNIT_NORM.tolerance:g}",
        "compared": stored.compared,
        "collapsed": collapsed,
    }
    if refused:
        figures["refused_because"] = tuple({"reason": reason, "vectors": count} for reason, count in refused.items())
    if shared:
        figures["shared_vectors"] = tuple(
            {"first": item.first.name, "second": item.second.name, "chunks": item.chunks} for item in shared
        )
    good = f"The run refused no vector, and every stored vector has length {UNIT_NORM.length:g}."
    return CheckResult(not found, " ".join(found) or good, figures)


def _refused(facts: VectorFacts, refused: dict[str, int]) -> list[str]:
    if not refused:
        return []
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in refused.items())
    return [
        f"The embedder returned {counted(sum(refused.values()), 'vector')} that the run refused ({reasons}). List the "
        f"chunks with vector-assets failures {facts.partition}"
    ]


def _wrong_stored(facts: VectorFacts, collapsed: int) -> list[str]:
    wrong, found = facts.stored.wrong_norm, []
    if wrong:
        found.append(
            f"{counted(wrong, 'stored vector')} {agreeing(wrong, 'does', 'do')} not have length {UNIT_NORM.length:g} ± "
            f"{UNIT_NORM.tolerance:g}: another program wrote {agreeing(wrong, 'it', 'them')}. Run the partition again "
            "with force_revectorize."
        )
    if collapsed:
        found.append(
            f"{collapsed:,} of {counted(facts.stored.compared, 'vector')} compared belong to chunks with different "
            "texts. Check whether the embedder mixes up its texts, then run the partition again with force_revectorize."
        )
    return found


def nothing_truncated(facts: VectorFacts) -> CheckResult:
    """Judge the partition as it is stored: a chunk that an earlier run truncated counts like one of this run."""
    stored, report = facts.stored, facts.run.report
    share = stored.tokens_lost / stored.tokens if stored.tokens else 0.0
    allowed = facts.limits.max_lost_share
    figures: dict[str, Figure] = {
        "partition/truncated_chunks": stored.truncated_chunks,
        "partition/tokens_lost": stored.tokens_lost,
        "limit": limit_figure(allowed),
        "partition/tokens_lost_share": round(share, 4),
        "run/truncated_chunks": report.truncated_chunks,
        "run/tokens_lost": report.tokens - report.tokens_embedded,
        "model_tokens": limit_figure(facts.max_tokens),
        "chunk_tokens": limit_figure(facts.chunk_tokens),
    }
    if not stored.truncated_chunks:
        description = f"The model reads every token of {counted(stored.current, 'current chunk')}."
        return CheckResult(True, description, figures, Severity.WARNING)
    figures["most_truncated"] = tuple(
        {
            "document": chunk.document,
            "chunk_index": chunk.chunk_index,
            "tokens": chunk.token_count,
            "tokens_lost": chunk.tokens_lost,
        }
        for chunk in stored.most_truncated
    )
    return CheckResult(share <= allowed, _truncated(facts, share), figures, Severity.WARNING)


def _truncated(facts: VectorFacts, share: float) -> str:
    stored, allowed = facts.stored, facts.limits.max_lost_share
    lost = (
        f"{stored.truncated_chunks:,} of {counted(stored.current, 'chunk')} "
        f"{agreeing(stored.truncated_chunks, 'is', 'are')} longer than the {facts.max_tokens:,} tokens that the model "
        f"reads. {counted(stored.tokens_lost, 'token')} ({share:.1%}) {agreeing(stored.tokens_lost, 'was', 'were')} "
        "lost"
    )
    if share <= allowed:
        return f"{lost}, which is within the limit of {allowed:.1%}."
    return (
        f"{lost}. Make the chunks smaller: VECTOR_ASSETS_CHUNK_TOKENS limits the product's own to "
        f"{min(facts.chunk_tokens, facts.max_tokens):,} tokens; another program must limit its chunks itself."
    )


def vocabulary_covers_text(facts: VectorFacts) -> CheckResult:
    """Judge the run's tokens, or those of a sample where the run embedded too little and the sample looks worse."""
    report, limit = facts.run.report, facts.limits.max_unknown_share
    figures: dict[str, Figure] = {"limit": limit_figure(limit)}
    share, script = 0.0, None
    if report.tokens_embedded:
        share, script = report.unknown_share, Script(report.script)
        figures["run/unknown_share"] = round(share, 4)
    sample = gathered(facts.sample_tokens)
    if sample is not None:
        figures["sampled_chunks"] = sample.chunks
        figures["sample/unknown_share"] = round(sample.unknown_share, 4)
        if script is None or sample.unknown_share > share:
            share, script = sample.unknown_share, sample.script
    if script is None:
        return CheckResult(True, "No chunk is current, so no text was checked.", figures, Severity.WARNING)
    figures["script"] = script.value
    return CheckResult(share <= limit, vocabulary_sentence(share, script, limit), figures, Severity.WARNING)


def no_drift(facts: VectorFacts) -> CheckResult:
    """Judge the comparison of the reference texts' vectors that was made before the run's first vector was stored."""
    return drift_result(gathered(facts.drift), facts.limits.min_drift_cosine)


def drift_result(drift: DriftFacts, min_cosine: float) -> CheckResult:
    """Judge a comparison, also one that kept its run from storing anything, for which there are no other facts."""
    figures: dict[str, Figure] = {
        "lowest_cosine": round(drift.lowest_cosine, 6),
        "min_cosine": limit_figure(min_cosine),
        "texts": len(REFERENCE_TEXTS),
        "device": drift.device,
    }
    if drift.error is not None:
        return CheckResult(False, str(drift.error), figures)
    description = (
        f"The model makes the stored vectors of {len(REFERENCE_TEXTS)} reference texts again; the lowest cosine is "
        f"{drift.lowest_cosine:.4f}."
    )
    return CheckResult(True, description, figures)


def self_retrieval(facts: VectorFacts) -> CheckResult:
    """Fail where a chunk that was embedded again is not its own nearest neighbour in the partition.

    This finds rows that were stored under the ids of other chunks, and vectors of another model.
    """
    retrieval, limit = gathered(facts.retrieval), facts.limits.min_retrieval_cosine
    tried = len(retrieval.found)
    if not tried:
        return CheckResult(True, "No chunk is current, so none was embedded again.", {"tried": 0})
    lost = [item for item in retrieval.found if not found_itself(item, limit)]
    figures: dict[str, Figure] = {
        "tried": tried,
        "of_this_run": retrieval.from_run,
        "min_cosine": limit_figure(limit),
        "lowest_cosine": round(min(_cosine(item.own_distance) for item in retrieval.found), 6),
    }
    if not lost:
        description = (
            f"{tried:,} of {counted(facts.stored.current, 'chunk')} {agreeing(tried, 'was', 'were')} embedded again, "
            f"and {agreeing(tried, 'it', 'each')} found its own vector first."
        )
        return CheckResult(True, description, figures)
    figures["lost"] = tuple(
        {
            "chunk": retrieval.names.get(item.chunk_id, "deleted"),
            "cosine": round(_cosine(item.own_distance), 4),
            "nearest": retrieval.names.get(item.nearest_id, "deleted"),
            "cosine_to_nearest": round(_cosine(item.nearest_distance), 4),
        }
        for item in lost
    )
    description = (
        f"{len(lost):,} of {counted(tried, 'chunk')} embedded again did not find the chunk's own vector first: rows "
        "were swapped, or another model made the vectors. Search gives wrong results. Run the partition again with "
        "force_revectorize, then read this check again."
    )
    return CheckResult(False, description, figures)


def found_itself(item: NearestChunk, min_cosine: float) -> bool:
    """Say whether a chunk's new vector is near enough to its stored one, and to no other chunk's nearer."""
    return _cosine(item.own_distance) >= min_cosine and item.own_distance - item.nearest_distance <= _ROUNDING


def _cosine(distance: float) -> float:
    """A zero vector has no distance to any other; it counts as the farthest."""
    return -1.0 if math.isnan(distance) else 1 - distance


VECTOR_CHECKS: Sequence[Check[VectorFacts]] = (
    Check(
        "complete",
        "Every chunk has a current vector or is quarantined, and no more than max_failed_fraction are quarantined.",
        complete,
    ),
    Check(
        "vectors_valid",
        "The run refused no vector, all stored vectors have length 1, and different texts have different vectors.",
        vectors_valid,
    ),
    Check("nothing_truncated", "The model reads every chunk completely.", nothing_truncated),
    Check(NO_DRIFT, "The model still makes the vectors that it made when the embedding space was new.", no_drift),
    Check(
        "vocabulary_covers_text",
        "The model's vocabulary holds nearly all tokens, so that the model can read the language.",
        vocabulary_covers_text,
    ),
    Check("self_retrieval", "Chunks that are embedded again find their own vectors first.", self_retrieval),
)
