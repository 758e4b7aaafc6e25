"""The figures of the retrieval benchmark: hits, reciprocal ranks, BM25, and the chunkings that are compared."""

from uuid import UUID

import numpy as np
import pytest

from benchmarks.bm25 import Bm25, terms
from benchmarks.chunkings import Chunking
from benchmarks.retrieval import figures
from vector_assets.domain.documents import StoredDocument

from ..fakes import KEY, WordTokenCounter


def test_documents_are_ranked_by_their_best_chunk():
    """Hits and reciprocal ranks are those of the first relevant document; a question without one is missed."""
    documents = ["a", "b", "a", *(f"other {number}" for number in range(9)), "last"]
    scores = np.linspace(1, 0, len(documents))[np.newaxis].repeat(4, axis=0)

    found = figures(scores, documents, [{"a"}, {"b", "last"}, {"last"}, set()])

    assert found == pytest.approx([0.25, 0.5, 0.5, (1 + 1 / 2 + 1 / 12) / 4])


def test_terms_of_two_languages():
    """English words lose case and plural, stop words go, numbers stay whole, Chinese becomes pairs of characters."""
    text = "The Companies' net sales rose 12.5% to 1,234 in 2024；营业收入增长 A股"

    assert list(terms(text)) == [
        "company", "net", "sale", "rose", "12.5", "1,234", "2024", "营业", "业收", "收入", "入增", "增长", "股",
    ]  # fmt: skip


def test_bm25_prefers_rare_terms_and_short_texts():
    """A text with a rare term is before one with a frequent term, and a short text before a long one."""
    texts = ["revenue of pumps", "revenue", "revenue and costs of many other things of the year", "costs"]

    pumps, revenue = Bm25(texts).scores("pumps revenue"), Bm25(texts).scores("revenue")

    assert pumps.argmax() == 0
    assert list(np.argsort(-revenue, kind="stable")) == [1, 0, 2, 3]
    assert Bm25(texts).scores("nothing known").max() == 0


@pytest.mark.parametrize("overlap", [0, 8])
@pytest.mark.parametrize("context", ["none", "document", "headings"])
def test_chunkings_that_are_compared(context: str, overlap: int):
    """Each chunk fits, with what it repeats of the one before and with its line of context."""
    sentences = " ".join(f"Revenue of the segment number {number} grew." for number in range(40))
    text = f"PART I\n\nItem 2. Results\n\n{sentences}\n\nItem 3. Risks\n\n{sentences}"
    document = StoredDocument(UUID(int=1), f"{KEY}/a.txt", KEY, "X Inc.", "10-Q of X Inc.", "2024Q1", text)
    tokenizer = WordTokenCounter().tokenizer

    texts = Chunking(96, overlap, context).texts(document, tokenizer, 96)

    assert all(len(tokenizer.encode(chunk)) <= 96 for chunk in texts)
    lines = [chunk.partition("\n")[0] for chunk in texts]
    first = {"none": "PART I", "document": "10-Q of X Inc. 2024Q1", "headings": "10-Q of X Inc. 2024Q1"}[context]
    assert lines[0] == first
    if context == "headings":
        assert lines[1] == "10-Q of X Inc. 2024Q1 > PART I > Item 2. Results"
        assert lines[-1] == "10-Q of X Inc. 2024Q1 > PART I > Item 3. Risks"
    repeated = sum(chunk.count("grew") for chunk in texts) - text.count("grew")
    assert repeated == (len(texts) - 1 if overlap else 0)
