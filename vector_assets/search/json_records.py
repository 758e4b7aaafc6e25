"""Hits and passages as JSON objects, the same for `vector-assets search --json`, agents and retrievers."""

from ..domain.search import Passage, SearchAnswer, SearchHit


def answer_record(answer: SearchAnswer) -> dict[str, object]:
    """Make an object of an answer: its hits, and how many of the chunks that were asked for can be found."""
    coverage = {"chunks": answer.coverage.chunks, "current": answer.coverage.current, "note": answer.coverage.note}
    return {"hits": [hit_record(hit) for hit in answer.hits], "coverage": coverage}


def hit_record(hit: SearchHit) -> dict[str, object]:
    """Make an object of a hit."""
    return {
        "score": None if hit.score is None else round(hit.score, 6),
        "partition": str(hit.partition),
        "document": hit.document,
        "company_name": hit.company_name,
        "title": hit.title,
        "period": hit.period,
        "language": hit.language,
        "chunk_id": str(hit.chunk_id),
        "chunk_index": hit.chunk_index,
        "page_from": hit.page_from,
        "page_to": hit.page_to,
        "dense_rank": hit.dense_rank,
        "lexical_rank": hit.lexical_rank,
        "text": hit.text,
    }


def passage_record(passage: Passage) -> dict[str, object]:
    """Make an object of a passage."""
    return {**vars(passage), "partition": str(passage.partition)}
