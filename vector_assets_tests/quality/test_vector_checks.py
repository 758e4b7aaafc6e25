"""The checks of vectors judge facts alone: each passes on good ones and fails for what it is there for."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from vector_assets.domain.quarantine import FailedChunk
from vector_assets.errors import EmbedderDrifted
from vector_assets.quality.check_result import CheckResult, Severity
from vector_assets.quality.check_runner import NotGathered, run_checks
from vector_assets.quality.limits import QualityLimits
from vector_assets.quality.partition_facts import NearestChunk, SharedVector, TruncatedChunk
from vector_assets.quality.scripts import Script
from vector_assets.quality.vector_checks import VECTOR_CHECKS, drift_result
from vector_assets.quality.vector_facts import DriftFacts, RetrievalFacts, SampleTokens, VectorFacts

from .facts import GOOD_REPORT, GOOD_STORED, GOOD_VECTORS, KEY, after, chunk, stored

ERROR, WARNING = Severity.ERROR, Severity.WARNING


def results(facts: VectorFacts) -> dict[str, CheckResult]:
    return dict(run_checks(VECTOR_CHECKS, facts))


def failed(facts: VectorFacts) -> dict[str, Severity]:
    """The checks that did not pass, with their severity."""
    return {name: result.severity for name, result in results(facts).items() if not result.passed}


def test_all_checks_pass_on_good_facts() -> None:
    """Their names are public."""
    names = {"complete", "vectors_valid", "nothing_truncated", "no_drift", "vocabulary_covers_text", "self_retrieval"}

    assert set(results(GOOD_VECTORS)) == names
    assert failed(GOOD_VECTORS) == {}


def test_an_empty_partition_passes() -> None:
    """Nothing is divided by zero, and nothing is claimed of texts that were not read."""
    nothing = replace(GOOD_STORED, chunks=0, current=0, tokens=0, compared=0)
    report = replace(GOOD_REPORT, total=0, vectorized_count=0, tokens=0, tokens_embedded=0, script="other")
    run = replace(GOOD_VECTORS.run, report=report)
    facts = replace(GOOD_VECTORS, stored=nothing, run=run, retrieval=RetrievalFacts((), 0))

    assert failed(facts) == {}
    assert "script" not in results(facts)["vocabulary_covers_text"].figures


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        (stored(current=9, pending=1, missed=1), ERROR),
        (stored(current=9, pending=1, missed=0), WARNING),  # it came or changed during the run
        (after(stored(current=9, pending=1, missed=1), superseded_count=1), WARNING),  # another program held it
        (after(stored(current=9, pending=1, missed=1), limit=10), WARNING),
        (after(stored(current=9, pending=1, missed=1), limit=11), ERROR),  # the run could have taken it
        (stored(current=9, without_vector=1), ERROR),
    ],
)
def test_chunks_without_a_vector_are_the_runs_error_or_a_warning(facts: VectorFacts, severity: Severity) -> None:
    """A warning where the next run embeds them and nothing went wrong."""
    assert failed(facts) == {"complete": severity}


@pytest.mark.parametrize(
    ("bad", "chunks", "allowed", "fails"),
    [(1, 10, 0.05, False), (2, 10, 0.05, True), (2, 40, 0.05, False), (3, 40, 0.05, True), (1, 10, 0, True)],
)
def test_too_many_failed_chunks_are_an_error(bad: int, chunks: int, allowed: float, fails: bool) -> None:
    """As in a run: a single one passes, unless none is allowed. A second attempt to come is a warning."""
    quarantined = stored(chunks=chunks, current=chunks - bad, quarantined=bad)
    once = stored(chunks=chunks, current=chunks - bad, pending=bad, failed_once=bad)
    run = replace(quarantined.run, max_failed_fraction=allowed)

    assert failed(replace(quarantined, run=run)) == ({"complete": ERROR} if fails else {})
    assert failed(replace(once, run=run)) == {"complete": ERROR if fails else WARNING}


def test_failed_chunks_are_listed() -> None:
    """With their errors, each in one short line, and their next attempts."""
    now = datetime.now(UTC)
    bad = FailedChunk(7, KEY, "a.txt", 3, "ValueError", "bad\n" + 500 * "x", 2, now, None, "run 1")
    facts = replace(stored(current=9, quarantined=1), failed=(bad, replace(bad, next_attempt_at=now)))

    row, once = results(facts)["complete"].figures["failed_chunks"]

    assert (row["document"], row["chunk_index"], row["error"]) == ("a.txt", 3, "ValueError")
    assert len(row["message"]) <= 120
    assert "\n" not in row["message"]
    assert (row["next_attempt"], once["next_attempt"]) == ("none", f"{now.astimezone():%Y-%m-%d %H:%M}")


@pytest.mark.parametrize(
    "facts",
    [
        after(faults={"not finite": 2, "zero": 1}),
        stored(wrong_norm=1),
        replace(GOOD_VECTORS, collapsed=(SharedVector(2, chunk(1), chunk(2)),)),
    ],
)
def test_vectors_that_no_healthy_embedder_makes_are_an_error(facts: VectorFacts) -> None:
    """Refused ones, stored ones of another length, and one vector of different texts."""
    assert failed(facts) == {"vectors_valid": ERROR}


def test_refused_vectors_are_counted_by_reason() -> None:
    """In the sentence and in a table."""
    result = results(after(faults={"zero": 1, "not finite": 2}))["vectors_valid"]

    assert "3 vectors" in result.description
    assert "2 not finite, 1 zero" in result.description
    assert result.figures["refused_because"] == (
        {"reason": "not finite", "vectors": 2},
        {"reason": "zero", "vectors": 1},
    )


@pytest.mark.parametrize(("allowed", "passes"), [(0.0, False), (0.01, False), (0.02, True)])
def test_lost_tokens_above_the_limit_are_a_warning(allowed: float, passes: bool) -> None:
    """20 of 1,000 tokens are lost; the chunks that lost most are listed either way."""
    lost = TruncatedChunk("a.txt", 4, 276, 256)
    facts = stored(truncated_chunks=1, tokens_lost=20, most_truncated=(lost,))
    facts = replace(facts, limits=QualityLimits(max_lost_share=allowed))

    assert failed(facts) == ({} if passes else {"nothing_truncated": WARNING})
    (row,) = results(facts)["nothing_truncated"].figures["most_truncated"]
    assert row == {"document": "a.txt", "chunk_index": 4, "tokens": 276, "tokens_lost": 20}


@pytest.mark.parametrize(
    ("run_unknown", "sample_unknown", "fails", "script"),
    [
        (50, None, False, "latin"),
        (51, None, True, "latin"),
        (0, 60, True, "han"),  # what an earlier run embedded is worse
        (60, 0, True, "latin"),
        (0, 0, False, "latin"),
    ],
)
def test_unknown_tokens_above_the_limit_are_a_warning(
    run_unknown: int, sample_unknown: int | None, fails: bool, script: str
) -> None:
    """The worse of the run and the sample counts."""
    sample = None if sample_unknown is None else SampleTokens(8, 1000, sample_unknown, Script.HAN)
    facts = replace(after(unknown_tokens=run_unknown), sample_tokens=sample)

    assert failed(facts) == ({"vocabulary_covers_text": WARNING} if fails else {})
    assert results(facts)["vocabulary_covers_text"].figures["script"] == script


def test_a_run_that_embedded_nothing_is_judged_by_the_sample() -> None:
    """Otherwise the warning would be gone after the next run."""
    nothing = after(vectorized_count=0, tokens=0, tokens_embedded=0, script="other")
    facts = replace(nothing, sample_tokens=SampleTokens(8, 1000, 600, Script.HAN))

    assert failed(facts) == {"vocabulary_covers_text": WARNING}


def test_drift_is_an_error_with_the_embedders_message() -> None:
    """Also where it kept its run from storing anything, and there are no other facts."""
    error = EmbedderDrifted("model", 0.99, "cpu", "another device")
    drift = DriftFacts(error.cosine, "another device", error)

    assert failed(replace(GOOD_VECTORS, drift=drift)) == {"no_drift": ERROR}
    alone = drift_result(drift, 0.999)
    assert (alone.passed, alone.description) == (False, str(error))
    assert (alone.figures["lowest_cosine"], alone.figures["min_cosine"]) == (0.99, "0.999")


@pytest.mark.parametrize(
    ("found", "passes"),
    [
        (NearestChunk(1, 0.0019, 1, 0.0019, 10), True),
        (NearestChunk(1, 0.0021, 1, 0.0021, 10), False),  # another vector than was stored
        (NearestChunk(1, 0.00002, 2, 0.0, 10), False),  # another chunk's is nearer
        (NearestChunk(1, 0.000005, 2, 0.0, 10), True),  # by rounding only
        (NearestChunk(1, np.nan, 2, 0.0, 10), False),  # a zero vector is stored
    ],
)
def test_a_chunk_must_find_its_own_vector_first(found: NearestChunk, passes: bool) -> None:
    """Near enough, and no other chunk's nearer."""
    facts = replace(GOOD_VECTORS, retrieval=RetrievalFacts((found,), 0, {1: "a.txt #1"}))

    assert failed(facts) == ({} if passes else {"self_retrieval": ERROR})


def test_chunks_that_did_not_find_themselves_are_named() -> None:
    """With the chunk whose vector was found; one that was deleted since has no name."""
    found = (NearestChunk(1, 0.5, 2, 0.0, 10), NearestChunk(3, 0.0, 3, 0.0, 10))
    facts = replace(GOOD_VECTORS, retrieval=RetrievalFacts(found, 1, {1: "a.txt #1"}))

    (row,) = results(facts)["self_retrieval"].figures["lost"]

    assert row == {"chunk": "a.txt #1", "cosine": 0.5, "nearest": "deleted", "cosine_to_nearest": 1.0}


@pytest.mark.parametrize(
    ("missing", "check"),
    [
        ("collapsed", "vectors_valid"),
        ("sample_tokens", "vocabulary_covers_text"),
        ("drift", "no_drift"),
        ("retrieval", "self_retrieval"),
    ],
)
def test_a_missing_fact_concerns_its_own_check_only(missing: str, check: str) -> None:
    """It is a warning, for nothing is known."""
    facts = replace(GOOD_VECTORS, **{missing: NotGathered(OSError("gone"))})

    assert failed(facts) == {check: WARNING}


def test_missing_examples_of_quarantined_chunks_do_not_hide_that_none_is_quarantined() -> None:
    """They are needed only where there are some."""
    examples = NotGathered(OSError("gone"))

    assert failed(replace(GOOD_VECTORS, failed=examples)) == {}
    assert failed(replace(stored(current=8, quarantined=2), failed=examples)) == {"complete": WARNING}


@pytest.mark.parametrize(
    ("chunks", "current", "sentence"),
    [
        (10, 10, "10 of 10 chunks are"),
        (10, 1, "1 of 10 chunks is"),
        (1, 1, "1 of 1 chunk is"),
        (1, 0, "0 of 1 chunk is"),
    ],
)
def test_plurals_agree(chunks: int, current: int, sentence: str) -> None:
    """The verb agrees with the number before it, or with a single chunk."""
    facts = stored(chunks=chunks, current=current, pending=chunks - current)

    assert results(facts)["complete"].description.startswith(f"{sentence} current.")
