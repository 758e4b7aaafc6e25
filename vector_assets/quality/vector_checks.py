"""The checks of `silver/vectorized_chunks`: pure functions from facts to results, one partition at a time."""

import math
from collections.abc import Sequence

from ..domain.wording import part_read, readable_chunks, readable_paragraph
from ..translation import marked, ngettext, translate
from .check_result import CheckResult, Figure, Severity, limit_figure
from .check_runner import Check, gathered
from .completeness import complete
from .drift import REFERENCE_TEXTS
from .partition_facts import NearestChunk
from .scripts import vocabulary_sentence
from .vector_facts import DriftFacts, VectorFacts
from .vectors import UNIT_NORM

NO_DRIFT = "no_drift"

# A stored vector that is nearer than the chunk's own by more than this belongs to another chunk. None of 500 chunks of
# real filings was nearer by more than 2e-7, and the two nearest chunks with different tokens are 1e-5 apart.
_ROUNDING = 1e-5

# The reason that `BadVectors` gives where no single row is at fault, for the catalog; `Fault` has the others.
_NO_ROWS = marked("not a row for each text")


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
        "read": stored.read,
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
    good = translate(
        "The run refused no vector, and every stored vector has length {length:g}.", length=UNIT_NORM.length
    )
    sentences = [*(found or [good]), *part_read(stored.read, stored.chunks)]
    return CheckResult(not found, readable_paragraph(sentences), figures)


def _refused(facts: VectorFacts, refused: dict[str, int]) -> list[str]:
    if not refused:
        return []
    reasons = [
        translate("{count:,} {reason}", count=count, reason=translate(reason)) for reason, count in refused.items()
    ]
    description = ngettext(
        "The embedder returned {number:,} vector that the run refused ({reasons}). List the chunks with vector-assets "
        "failures {partition}",
        "The embedder returned {number:,} vectors that the run refused ({reasons}). List the chunks with vector-assets "
        "failures {partition}",
        sum(refused.values()),
        reasons=translate(", ").join(reasons),
        partition=facts.partition,
    )
    return [description]


def _wrong_stored(facts: VectorFacts, collapsed: int) -> list[str]:
    found = []
    if facts.stored.wrong_norm:
        wrong = ngettext(
            "{number:,} stored vector does not have length {length:g} ± {tolerance:g}: another program wrote it. Run "
            "the partition again with force_revectorize.",
            "{number:,} stored vectors do not have length {length:g} ± {tolerance:g}: another program wrote them. Run "
            "the partition again with force_revectorize.",
            facts.stored.wrong_norm,
            length=UNIT_NORM.length,
            tolerance=UNIT_NORM.tolerance,
        )
        found.append(wrong)
    if collapsed:
        shared = ngettext(
            "{collapsed:,} of {number:,} vector compared belong to chunks with different texts. Check whether the "
            "embedder mixes up its texts, then run the partition again with force_revectorize.",
            "{collapsed:,} of {number:,} vectors compared belong to chunks with different texts. Check whether the "
            "embedder mixes up its texts, then run the partition again with force_revectorize.",
            facts.stored.compared,
            collapsed=collapsed,
        )
        found.append(shared)
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
        description = ngettext(
            "The model reads every token of {number:,} current chunk.",
            "The model reads every token of {number:,} current chunks.",
            stored.current,
        )
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
    stored = facts.stored
    longer = ngettext(
        "{number:,} of {chunks} is longer than the {tokens:,} tokens that the model reads.",
        "{number:,} of {chunks} are longer than the {tokens:,} tokens that the model reads.",
        stored.truncated_chunks,
        chunks=readable_chunks(stored.vectors),
        tokens=facts.max_tokens,
    )
    return readable_paragraph([longer, _tokens_lost(facts, share)])


def _tokens_lost(facts: VectorFacts, share: float) -> str:
    allowed = facts.limits.max_lost_share
    if share <= allowed:
        return ngettext(
            "{number:,} token ({share:.1%}) was lost, which is within the limit of {limit:.1%}.",
            "{number:,} tokens ({share:.1%}) were lost, which is within the limit of {limit:.1%}.",
            facts.stored.tokens_lost,
            share=share,
            limit=allowed,
        )
    return ngettext(
        "{number:,} token ({share:.1%}) was lost. Make the chunks smaller: VECTOR_ASSETS_CHUNK_TOKENS limits the "
        "product's own to {tokens:,} tokens; another program must limit its chunks itself.",
        "{number:,} tokens ({share:.1%}) were lost. Make the chunks smaller: VECTOR_ASSETS_CHUNK_TOKENS limits the "
        "product's own to {tokens:,} tokens; another program must limit its chunks itself.",
        facts.stored.tokens_lost,
        share=share,
        tokens=min(facts.chunk_tokens, facts.max_tokens),
    )


def vocabulary_covers_text(facts: VectorFacts) -> CheckResult:
    """Judge the run's tokens, or those of a sample where the run embedded too little and the sample looks worse."""
    report, limit = facts.run.report, facts.limits.max_unknown_share
    figures: dict[str, Figure] = {"limit": limit_figure(limit)}
    share, script = 0.0, None
    if report.tokens_embedded:
        share, script = report.unknown_share, report.script
        figures["run/unknown_share"] = round(share, 4)
    sample = gathered(facts.sample_tokens)
    if sample is not None:
        figures["sampled_chunks"] = sample.chunks
        figures["sample/unknown_share"] = round(sample.unknown_share, 4)
        if script is None or sample.unknown_share > share:
            share, script = sample.unknown_share, sample.script
    if script is None:
        description = translate("No chunk is current, so no text was checked.")
        return CheckResult(True, description, figures, Severity.WARNING)
    figures["script"] = str(script)
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
    description = translate(
        "The model makes the stored vectors of {texts} reference texts again; the lowest cosine is {cosine:.4f}.",
        texts=len(REFERENCE_TEXTS),
        cosine=drift.lowest_cosine,
    )
    return CheckResult(True, description, figures)


def self_retrieval(facts: VectorFacts) -> CheckResult:
    """Fail where a chunk that was embedded again is not its own nearest neighbour among the vectors that were read.

    This finds rows that were stored under the ids of other chunks, and vectors of another model.
    """
    retrieval, limit = gathered(facts.retrieval), facts.limits.min_retrieval_cosine
    tried = len(retrieval.found)
    if not tried:
        return CheckResult(True, translate("No chunk is current, so none was embedded again."), {"tried": 0})
    lost = [item for item in retrieval.found if not found_itself(item, limit)]
    figures: dict[str, Figure] = {
        "tried": tried,
        "of_this_run": retrieval.from_run,
        "compared": max(item.compared for item in retrieval.found),
        "min_cosine": limit_figure(limit),
        "lowest_cosine": round(min(_cosine(item.own_distance) for item in retrieval.found), 6),
    }
    if not lost:
        return CheckResult(True, _all_found(facts, retrieval.found), figures)
    figures["lost"] = tuple(
        {
            "chunk": retrieval.names.get(item.chunk_id, "deleted"),
            "cosine": round(_cosine(item.own_distance), 4),
            "nearest": retrieval.names.get(item.nearest_id, "deleted"),
            "cosine_to_nearest": round(_cosine(item.nearest_distance), 4),
        }
        for item in lost
    )
    return CheckResult(False, _some_lost(len(lost), tried), figures)


def _all_found(facts: VectorFacts, found: Sequence[NearestChunk]) -> str:
    return ngettext(
        "{number:,} of {chunks} was embedded again, and it found its own vector first among {compared:,} vectors.",
        "{number:,} of {chunks} were embedded again, and each found its own vector first among {compared:,} vectors.",
        len(found),
        chunks=readable_chunks(facts.stored.current),
        compared=max(item.compared for item in found),
    )


def _some_lost(lost: int, tried: int) -> str:
    return ngettext(
        "{lost:,} of {number:,} chunk embedded again did not find the chunk's own vector first: rows were swapped, or "
        "another model made the vectors. Search gives wrong results. Run the partition again with force_revectorize, "
        "then read this check again.",
        "{lost:,} of {number:,} chunks embedded again did not find the chunk's own vector first: rows were swapped, or "
        "another model made the vectors. Search gives wrong results. Run the partition again with force_revectorize, "
        "then read this check again.",
        tried,
        lost=lost,
    )


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
