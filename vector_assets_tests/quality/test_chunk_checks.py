"""The checks of chunks judge facts alone: each passes on good ones and fails for what it is there for."""

from dataclasses import replace

import pytest

from vector_assets.quality.check_result import CheckResult, Severity
from vector_assets.quality.check_runner import run_checks
from vector_assets.quality.chunk_checks import (
    CHUNK_CHECKS,
    ChunkFacts,
    DocumentReadability,
    LongChunk,
    UnreadableChunk,
)
from vector_assets.quality.limits import QualityLimits

from .facts import GOOD_CHUNKS, chunk


def results(facts: ChunkFacts) -> dict[str, CheckResult]:
    return dict(run_checks(CHUNK_CHECKS, facts))


def failed(facts: ChunkFacts) -> dict[str, Severity]:
    """The checks that did not pass, with their severity."""
    return {name: result.severity for name, result in results(facts).items() if not result.passed}


def test_all_checks_pass_on_good_facts() -> None:
    """Their names are public."""
    assert set(results(GOOD_CHUNKS)) == {"no_empty_chunks", "chunk_sizes_in_range", "text_is_readable"}
    assert failed(GOOD_CHUNKS) == {}


def test_a_partition_without_chunks_passes() -> None:
    """Nothing is divided by zero."""
    assert failed(replace(GOOD_CHUNKS, chunks=0, longest_counted=0, documents={})) == {}


def test_an_empty_chunk_is_an_error() -> None:
    """The examples say where."""
    facts = replace(GOOD_CHUNKS, empty=1, empty_chunks=(chunk(3, " "),))

    assert failed(facts) == {"no_empty_chunks": Severity.ERROR}
    assert results(facts)["no_empty_chunks"].figures["examples"] == ({"document": "a.txt", "chunk_index": 3},)


def test_a_chunk_that_is_too_long_is_a_warning() -> None:
    """With its tokens."""
    facts = replace(GOOD_CHUNKS, too_long=(LongChunk("a.txt", 5, 300),))

    assert failed(facts) == {"chunk_sizes_in_range": Severity.WARNING}
    (row,) = results(facts)["chunk_sizes_in_range"].figures["longest"]
    assert row == {"document": "a.txt", "chunk_index": 5, "tokens": 300}


@pytest.mark.parametrize(
    ("fragments", "chunks", "fails"), [(2, 10, False), (3, 10, True), (3, 60, False), (4, 60, True)]
)
def test_many_fragments_are_a_warning(fragments: int, chunks: int, fails: bool) -> None:
    """One or two never are, and more only above the limit of 5 %."""
    examples = tuple(chunk(number, "18") for number in range(fragments))
    facts = replace(GOOD_CHUNKS, chunks=chunks, fragments=fragments, fragment_chunks=examples)

    assert failed(facts) == ({"chunk_sizes_in_range": Severity.WARNING} if fails else {})


def test_one_unreadable_document_is_a_warning_whatever_the_others_are() -> None:
    """It is named, with its share."""
    documents = {f"{number}.txt": DocumentReadability(1_000_000, 0.0) for number in range(99)}
    documents["bad.txt"] = DocumentReadability(1000, 20.0)
    worst = UnreadableChunk("bad.txt", 0, 0.5, "companyâ€™s")
    facts = replace(GOOD_CHUNKS, documents=documents, most_unreadable=(worst,))

    result = results(facts)["text_is_readable"]

    assert failed(facts) == {"text_is_readable": Severity.WARNING}
    assert "bad.txt" in result.description
    assert "2.0%" in result.description
    (row,) = result.figures["most_unreadable"]
    assert row == {"document": "bad.txt", "chunk_index": 0, "unreadable": "50.0%", "excerpt": "companyâ€™s"}


@pytest.mark.parametrize(("limit", "fails"), [(0.001, True), (0.02, False)])
def test_how_much_may_be_unreadable_is_a_limit(limit: float, fails: bool) -> None:
    """A share equal to it passes."""
    documents = {"bad.txt": DocumentReadability(1000, 20.0)}
    facts = replace(GOOD_CHUNKS, documents=documents, limits=QualityLimits(max_unreadable_share=limit))

    assert failed(facts) == ({"text_is_readable": Severity.WARNING} if fails else {})
