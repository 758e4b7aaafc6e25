"""The audit counts all texts of a partition in one pass and keeps examples only."""

from collections.abc import Iterator, Sequence

import pytest

from vector_assets.audit.chunk_audit import ChunkAudit
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.quality.check_result import Severity
from vector_assets.quality.limits import QualityLimits
from vector_assets.quality.partition_facts import ChunkText

from ..fakes import KEY, HashEmbedder

GOOD = "An invented issuer whose filing is in English, long enough to be no fragment."
MANGLED = "the company\u2019s revenue".encode().decode("cp1252")


class MemoryTexts:
    """Gives texts of two documents in turn."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def count(self, partition: PartitionKey) -> int:
        return len(self._texts)

    def texts(self, partition: PartitionKey, *_: object) -> Iterator[ChunkText]:
        for number, text in enumerate(self._texts):
            yield ChunkText(number, f"{number % 2}.txt", number, text)


def audit(*texts: str, tokens_limit: int = 64) -> ChunkAudit:
    return ChunkAudit(MemoryTexts(texts), HashEmbedder(), QualityLimits(), tokens_limit)


def test_a_partition_without_texts_has_zeros() -> None:
    """And its checks pass."""
    facts = audit().facts(KEY, (), "run 1")

    assert (facts.chunks, facts.empty, facts.fragments, facts.longest_counted, facts.too_long) == (0, 0, 0, 0, ())
    assert all(result.passed for _, result in audit().results(KEY, (), "run 1"))


def test_empty_chunks_and_fragments_are_counted_apart() -> None:
    """In any script; five examples of each are kept."""
    facts = audit(GOOD, *[" \n\u3000\u00a0"] * 7, *["18"] * 6, "二〇一五年", "二〇一五年十二月三十日").facts(
        KEY, (), "run 1"
    )

    assert (facts.chunks, facts.empty, facts.fragments) == (16, 7, 7)
    assert [chunk.chunk_index for chunk in facts.empty_chunks] == [1, 2, 3, 4, 5]
    assert len(facts.fragment_chunks) == 5


def test_tokens_are_counted_of_the_longest_chunks_only() -> None:
    """Those with most bytes; of an endless text only the beginning is read."""
    counted: list[str] = []

    class Counting(HashEmbedder):
        def tokenize(self, texts: Sequence[str]) -> list:
            counted.extend(texts)
            return super().tokenize(texts)

    texts = [*(f"{'word ' * length}{number}" for number, length in enumerate([5] * 20 + [70, 65])), "word " * 10_000]
    audited = ChunkAudit(MemoryTexts(texts), Counting(), QualityLimits(), 64)

    facts = audited.facts(KEY, (), "run 1")

    assert facts.longest_counted == len(counted) == 8
    assert max(len(text) for text in counted) == 64 * 64
    assert [chunk.chunk_index for chunk in facts.too_long] == [22, 20, 21]
    assert [chunk.tokens for chunk in facts.too_long][1:] == [71, 66]


def test_readability_is_counted_by_document_and_chunk() -> None:
    """The excerpt shows where the unreadable characters are."""
    facts = audit(GOOD, GOOD, GOOD, GOOD * 3 + MANGLED).facts(KEY, (), "run 1")

    assert {name: item.share > 0 for name, item in facts.documents.items()} == {"0.txt": False, "1.txt": True}
    assert facts.documents["1.txt"].characters == len(GOOD * 4 + MANGLED)
    (worst,) = facts.most_unreadable
    assert (worst.document, worst.chunk_index) == ("1.txt", 3)
    assert "companyâ€™s" in worst.excerpt
    assert len(worst.excerpt) <= 60


def test_the_most_unreadable_chunks_are_kept() -> None:
    """Five of them, the worst first."""
    facts = audit(*(MANGLED + GOOD * times for times in (5, 1, 4, 0, 3, 2, 6))).facts(KEY, (), "run 1")

    assert [chunk.chunk_index for chunk in facts.most_unreadable] == [3, 1, 5, 4, 2]


def test_texts_that_cannot_be_read_are_a_warning_of_each_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """And raise nothing: the chunks are stored."""
    audited = audit(GOOD)
    monkeypatch.setattr(audited.store, "texts", lambda _: 1 / 0)

    results = audited.results(KEY, (), "run 1")

    assert [(result.passed, result.severity) for _, result in results] == [(False, Severity.WARNING)] * 3
