"""How often the documents that answer a question are found, per model and per chunking, with BM25 beside them.

The questions are lines of JSON with `query` and `relevant_documents`, paths below the landing directory. All documents
of the directory are ranked, each by its best chunk: exact cosine of the vectors, and BM25. No database is needed.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bm25 import Bm25
from benchmarks.chunkings import Chunking
from benchmarks.corpus import landed_document
from benchmarks.embedding_cache import EmbeddingCache
from benchmarks.table import Table, add_json_option
from vector_assets.domain.documents import StoredDocument
from vector_assets.embedding.bundled.unpacking import MULTILINGUAL_MODEL
from vector_assets.ingestion.landing_directory import LandingDirectory
from vector_assets.services import Services
from vector_assets.settings import load_settings

_RANKS = (1, 5, 10)
Scores = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class QuestionSet:
    """Questions with the documents that answer them."""

    name: str
    questions: list[str]
    relevant: list[set[str]]

    @classmethod
    def of(cls, file: Path) -> "QuestionSet":
        """Read a file."""
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
        return cls(file.stem, [row["query"] for row in rows], [set(row["relevant_documents"]) for row in rows])


def figures(scores: Scores, documents: Sequence[str], relevant: Sequence[set[str]]) -> list[float]:
    """Return hit@1, hit@5, hit@10 and the mean reciprocal rank.

    Args:
        scores: of each question (row) and chunk (column).
        documents: the document of each chunk.
        relevant: the documents that answer each question; a question without any counts as missed.
    """
    ranks = np.array([_first_rank(row, documents, wanted) for row, wanted in zip(scores, relevant, strict=True)])
    return [*(float((ranks <= rank).mean()) for rank in _RANKS), float((1 / ranks).mean())]


def _first_rank(scores: Scores, documents: Sequence[str], wanted: set[str]) -> float:
    """Return the rank of the first document that is wanted; infinite if none is there."""
    ranked = dict.fromkeys(documents[index] for index in np.argsort(-scores, kind="stable"))
    return next((rank for rank, document in enumerate(ranked, 1) if document in wanted), np.inf)


class Comparison:
    """Measures models and chunkings on all question sets, and adds a row for each to the table."""

    def __init__(self, documents: Sequence[StoredDocument], sets: Sequence[QuestionSet], table: Table) -> None:
        self._documents = documents
        self._sets = sets
        self._table = table

    def measure_bm25(self, model: str, chunking: Chunking) -> None:
        """Measure BM25 over the chunks that a model's tokenizer gives."""
        texts, documents = self._chunks(_services(model, chunking.tokens), chunking)
        bm25 = Bm25(texts)
        self._add("BM25", chunking, documents, lambda questions: np.stack([bm25.scores(text) for text in questions]))

    def measure_model(self, model: str, chunking: Chunking, cache: Path) -> None:
        """Measure the exact cosine of a model's vectors."""
        services = _services(model, chunking.tokens)
        texts, documents = self._chunks(services, chunking)
        embeddings = EmbeddingCache(cache, services.embedder)
        vectors = embeddings.documents(texts)
        self._add(model, chunking, documents, lambda questions: embeddings.questions(questions) @ vectors.T)

    def _chunks(self, services: Services, chunking: Chunking) -> tuple[list[str], list[str]]:
        """Return the texts of all chunks, and the document of each."""
        recipe = services.configured_chunker.recipe
        tokenizer = services.embedder.counter.tokenizer
        found = [
            (text, document.source_uri)
            for document in self._documents
            for text in chunking.texts(document, tokenizer, recipe.max_tokens)
        ]
        return [text for text, _ in found], [source_uri for _, source_uri in found]

    def _add(self, ranker: str, chunking: Chunking, documents: list[str], score: Callable[[list[str]], Scores]) -> None:
        found = [figures(score(item.questions), documents, item.relevant) for item in self._sets]
        self._table.add(ranker, str(chunking), len(documents), *found)


def _services(model: str, chunk_tokens: int) -> Services:
    return Services(load_settings(embedding_model=model, chunk_tokens=chunk_tokens))


def main() -> None:
    """Print a row for each model and chunking."""
    arguments = _parsed_arguments()
    documents = [landed_document(landed) for landed in LandingDirectory(arguments.filings).scan().documents]
    sets = [QuestionSet.of(file) for file in arguments.questions]
    names = [f"{item.name} ({len(item.questions)}): hit@1, 5, 10, MRR" for item in sets]
    comparison = Comparison(documents, sets, Table("ranked by", "chunking", "chunks", *names, json_file=arguments.json))
    for parts in product(arguments.context, arguments.overlap, arguments.tokens):
        chunking = Chunking(tokens=parts[2], overlap=parts[1], context=parts[0])
        comparison.measure_bm25(arguments.models[0], chunking)
        for model in arguments.models:
            comparison.measure_model(model, chunking, arguments.cache)


def _parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filings", type=Path, required=True, help="a landing directory with the documents")
    parser.add_argument("--questions", type=Path, required=True, nargs="+", metavar="FILE", help="JSON Lines files")
    parser.add_argument("--models", nargs="+", default=[MULTILINGUAL_MODEL], help="as EMBEDDING_MODEL")
    parser.add_argument(
        "--tokens", type=int, nargs="+", default=[192], help="chunk sizes, as VECTOR_ASSETS_CHUNK_TOKENS"
    )
    parser.add_argument(
        "--overlap", type=int, nargs="+", default=[0], help="tokens that a chunk repeats of the one before"
    )
    contexts = ("document", "headings", "none")
    parser.add_argument("--context", nargs="+", default=["document"], choices=contexts, help="what precedes each chunk")
    parser.add_argument(
        "--cache", type=Path, required=True, help="a folder for embeddings, so that they are computed once"
    )
    add_json_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
