"""How much each part of hybrid search finds: vectors, terms, and both fused in several ways, over the same chunks.

Documents are ranked by their best chunk, as in benchmarks.retrieval. The terms and BM25 are the product's, computed in
memory; candidates are the best chunks of each ranking, as in vector_assets.search.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.chunkings import Chunking
from benchmarks.corpus import landed_document
from benchmarks.embedding_cache import EmbeddingCache, Vectors
from benchmarks.retrieval import QuestionSet, figures
from benchmarks.table import Table, add_json_option
from vector_assets.domain.terms import term_counts
from vector_assets.ingestion.landing_directory import LandingDirectory
from vector_assets.search.fusion import fused_scores
from vector_assets.services import Services
from vector_assets.settings import load_settings

Scores = NDArray[np.float64]
_K1, _B = 1.2, 0.75
# Below everything that was ranked: chunks that no ranking has among its candidates.
_NOT_FOUND = -1e9


class ProductTerms:
    """BM25 over the product's terms. A term in more than `most_common` of the chunks is left out."""

    def __init__(self, texts: Sequence[str]) -> None:
        counted = [term_counts(text) for text in texts]
        lengths = np.array([counts.length for counts in counted])
        self._damping = _K1 * (1 - _B + _B * lengths / max(lengths.mean(), 1))
        self._postings: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for index, counts in enumerate(counted):
            for term, count in zip(counts.term_ids, counts.frequencies, strict=True):
                self._postings[term].append((index, count))

    def scores(self, question: str, most_common: float = 1.0) -> Scores:
        """Score each chunk, in order."""
        scores = np.zeros(len(self._damping))
        for term in term_counts(question).term_ids:
            if term in self._postings and len(self._postings[term]) <= most_common * len(scores):
                found, counts = np.array(self._postings[term]).T
                rarity = math.log(1 + (len(scores) - len(found) + 0.5) / (len(found) + 0.5))
                scores[found] += rarity * counts * (_K1 + 1) / (counts + self._damping[found])
        return scores


Fusion = Callable[[Scores, Scores], Scores]


@dataclass(frozen=True)
class Variant:
    """A way to fuse the candidates of both rankings."""

    name: str
    fuse: Fusion
    candidates: int = 100
    most_common: float = 1.0

    def scores(self, dense: Scores, lexical: Scores) -> Scores:
        """Score all chunks of a question; those that are no candidates are last."""
        chosen = np.union1d(_best(dense, self.candidates), _best(lexical, self.candidates))
        chosen = chosen.astype(np.intp)
        scores = np.full(len(dense), _NOT_FOUND)
        scores[chosen] = self.fuse(dense[chosen], lexical[chosen])
        return scores


def _best(scores: Scores, count: int) -> NDArray[np.intp]:
    """Places of the best; only of chunks that have a score."""
    order = np.argsort(-scores, kind="stable")[:count]
    return np.asarray(order[scores[order] != 0], dtype=np.intp)


def standard_scores(weight: float) -> Fusion:
    """As the product fuses, with another weight of the vectors."""
    return lambda dense, lexical: fused_scores(dense, lexical, weight)


def reciprocal_ranks(k: int, weight: float = 0.5) -> Fusion:
    """Reciprocal rank fusion; a chunk without terms in common has no rank among the lexical ones."""

    def fuse(dense: Scores, lexical: Scores) -> Scores:
        by_rank = weight / (k + _ranks(dense)) + (1 - weight) / (k + _ranks(lexical)) * (lexical > 0)
        return np.asarray(by_rank, dtype=np.float64)

    return fuse


def _ranks(scores: Scores) -> Scores:
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return ranks


def variants() -> Iterator[Variant]:
    """One part changed at a time, the product's own first."""
    yield Variant("standard scores, vectors 0.7 (the product)", standard_scores(0.7))
    for weight in (0.5, 0.6, 0.8, 0.9):
        yield Variant(f"standard scores, vectors {weight}", standard_scores(weight))
    for k in (5, 10, 60):
        yield Variant(f"reciprocal ranks, k = {k}", reciprocal_ranks(k))
    yield Variant("reciprocal ranks, k = 10, vectors 0.7", reciprocal_ranks(10, 0.7))
    for candidates in (20, 50, 200, 1000):
        yield Variant(f"{candidates} candidates of each ranking", standard_scores(0.7), candidates)
    for share in (0.5, 0.2, 0.05):
        yield Variant(f"terms in at most {share:.0%} of the chunks", standard_scores(0.7), most_common=share)


def main() -> None:
    """Print a row for each ranking and variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filings", type=Path, required=True, help="a landing directory with the documents")
    parser.add_argument("--questions", type=Path, required=True, nargs="+", metavar="FILE", help="JSON Lines files")
    parser.add_argument("--cache", type=Path, required=True, help="a folder for embeddings")
    add_json_option(parser)
    arguments = parser.parse_args()
    services = Services(load_settings())
    texts, documents = _chunks(services, arguments.filings)
    vectors = EmbeddingCache(arguments.cache, services.embedder)
    stored, terms = vectors.documents(texts), ProductTerms(texts)
    sets = [QuestionSet.of(file) for file in arguments.questions]
    rankings = Rankings([_cosines(vectors.questions(item.questions), stored) for item in sets], terms, sets)
    names = [f"{item.name} ({len(item.questions)}): hit@1, 5, 10, MRR" for item in sets]
    table = Table("ranked by", *names, "mean MRR", json_file=arguments.json)
    for name, scores in rankings.rows():
        found = [figures(np.stack(part), documents, item.relevant) for part, item in zip(scores, sets, strict=True)]
        table.add(name, *found, float(np.mean([row[-1] for row in found])))


def _cosines(questions: Vectors, stored: Vectors) -> Scores:
    return (questions @ stored.T).astype(np.float64)


def _chunks(services: Services, filings: Path) -> tuple[list[str], list[str]]:
    """Return the texts of all chunks as the product makes them, and the document of each."""
    recipe, tokenizer = services.configured_chunker.recipe, services.embedder.counter.tokenizer
    found = [
        (text, document.source_uri)
        for document in (landed_document(landed) for landed in LandingDirectory(filings).scan().documents)
        for text in Chunking(services.settings.chunk_tokens).texts(document, tokenizer, recipe.max_tokens)
    ]
    return [text for text, _ in found], [source_uri for _, source_uri in found]


@dataclass(frozen=True)
class Rankings:
    """The scores of each set: those of the vectors are given, a row for each question."""

    dense: list[Scores]
    terms: ProductTerms
    sets: list[QuestionSet]

    def rows(self) -> Iterator[tuple[str, list[list[Scores]]]]:
        """Give the scores by each leg, and by each variant."""
        yield "vectors", [list(part) for part in self.dense]
        yield "BM25", self._lexical(1.0)
        for variant in variants():
            lexical = self._lexical(variant.most_common)
            yield (
                variant.name,
                [
                    [variant.scores(*pair) for pair in zip(dense, by_terms, strict=True)]
                    for dense, by_terms in zip(self.dense, lexical, strict=True)
                ],
            )

    def _lexical(self, most_common: float) -> list[list[Scores]]:
        return [[self.terms.scores(text, most_common) for text in item.questions] for item in self.sets]


if __name__ == "__main__":
    main()
