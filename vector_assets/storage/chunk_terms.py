"""The terms of chunks: filled in from a queue, and ranked by BM25."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from psycopg import sql

from ..domain.chunks import BEFORE_ALL_CHUNKS
from ..domain.partition_keys import PartitionKey
from ..domain.search import ChunkFilter
from ..domain.terms import QuestionTerms, QueuedText, TermCounts
from .database import Connection, Database, repeatable
from .partition_columns import partition_parameters
from .search_filters import filter_parameters, in_partitions, of_documents

# Rarest terms of a question are looked up until so many chunks have one of them; the more frequent terms then only rank
# these. More chunks change the answer for less than one question in a hundred and take longer.
_ENOUGH_CHUNKS = 1000

# If even the rarest term is in more chunks than this, which would take 30 ms to rank, chunks with several of the terms
# are looked for first; a few of them are enough.
_MANY_CHUNKS, _FEW = 5_000, 20

# A filter that names no more chunks than these: all of them that have a term of the question are ranked, because few of
# them may have a rare one.
_FEW_CHUNKS = 2000

# A question has no more terms than these: the rarest ones, which decide. What is more comes from a pasted text, and
# each of them costs as much as a rare one.
_MOST_TERMS = 64

# How fast repeats of a term stop counting, and how much long texts are held back: the values of most search engines.
_K1, _B = 1.2, 0.75

_QUEUED: LiteralString = """
SELECT p.chunk_id, c.text, p.content_hash
FROM pending_terms p JOIN document_chunks c ON c.id = p.chunk_id AND c.content_hash = p.content_hash
WHERE (p.market, p.doc_type, p.stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s) AND p.chunk_id > %(after_id)s
ORDER BY p.chunk_id LIMIT %(limit)s
"""

# Compare-and-set, as for vectors: terms are stored if the queue still has the chunk with the text they were made of. A
# row that another transaction has locked is passed over; whoever has it writes the queue again.
_STORE: LiteralString = """
WITH unchanged AS MATERIALIZED (
    SELECT p.ctid AS queue_row
    FROM pending_terms p
    CROSS JOIN LATERAL (SELECT FROM document_chunks c WHERE c.id = p.chunk_id FOR KEY SHARE SKIP LOCKED) held
    WHERE (p.market, p.doc_type, p.stock_code, p.chunk_id, p.content_hash)
          = (%(market)s, %(doc_type)s, %(stock_code)s, %(chunk_id)s, %(content_hash)s)
    FOR UPDATE OF p SKIP LOCKED
), dequeued AS (
    DELETE FROM pending_terms WHERE ctid = ANY(ARRAY(SELECT queue_row FROM unchanged))
)
INSERT INTO chunk_terms (chunk_id, market, doc_type, stock_code, content_hash, length, term_ids, frequencies)
SELECT %(chunk_id)s, %(market)s, %(doc_type)s, %(stock_code)s, %(content_hash)s, %(length)s, %(term_ids)s::integer[],
       %(frequencies)s::smallint[]
FROM unchanged
ON CONFLICT (chunk_id) DO UPDATE SET
    (market, doc_type, stock_code, content_hash, length, term_ids, frequencies)
    = (excluded.market, excluded.doc_type, excluded.stock_code, excluded.content_hash, excluded.length,
       excluded.term_ids, excluded.frequencies)
"""

# Of all chunks, which triggers count: to count rows would cost more with each million of them.
_COUNT: LiteralString = "SELECT coalesce(sum(chunks), 0)::bigint FROM chunk_counts"
_COUNTED: LiteralString = "SELECT chunks, average_length FROM term_totals"
# Two processes that count at once would count the same.
_TRY_LOCK: LiteralString = "SELECT pg_try_advisory_xact_lock(hashtext('vector_assets: term statistics'))"
_FORGET_STATISTICS: LiteralString = "DELETE FROM term_statistics"
_COUNT_TERMS: LiteralString = """
INSERT INTO term_statistics (term_id, chunks)
SELECT term_id, count(*) FROM chunk_terms CROSS JOIN LATERAL unnest(term_ids) term_id GROUP BY term_id
"""
_COUNT_TOTALS: LiteralString = """
INSERT INTO term_totals (chunks, average_length)
SELECT count(*), coalesce(avg(length), 0) FROM chunk_terms
ON CONFLICT (only_row) DO UPDATE SET (chunks, average_length) = (excluded.chunks, excluded.average_length)
"""
_CHUNKS_WITH: LiteralString = "SELECT term_id, chunks FROM term_statistics WHERE term_id = ANY(%(ids)s::integer[])"

# BM25 of a chunk: of each term of the question that the chunk has, its rarity times its frequency, damped. The terms
# are written out, one by one: as rows that are joined and added up, they take twice as long.
_FREQUENCY: LiteralString = "c.frequencies[array_position(c.term_ids, {id})] AS {frequency}"
_PART: LiteralString = "coalesce({rarity}::double precision * {frequency} * (%(k1)s + 1) / ({frequency} + damping), 0)"
_SCORED: LiteralString = """
SELECT chunk_id, {parts} AS score FROM (
    SELECT c.chunk_id, %(k1)s * (1 - %(b)s + %(b)s * c.length / %(average)s) AS damping, {frequencies}
    FROM chunk_terms c WHERE {wanted} OFFSET 0
) counted
"""
_BEST: LiteralString = "SELECT * FROM ({scored}) s WHERE score > 0 ORDER BY score DESC, chunk_id LIMIT %(limit)s"
_OF_DOCUMENTS: LiteralString = """
EXISTS (SELECT FROM document_chunks n JOIN documents d ON d.id = n.document_id WHERE n.id = c.chunk_id AND {passes})
"""
_WITH_ANY: LiteralString = "c.term_ids && %(rarest)s::integer[]"
_WITH_ALL: LiteralString = "c.term_ids @> %(rarest)s::integer[]"
_OF_CHUNKS: LiteralString = "c.chunk_id = ANY(%(chunk_ids)s)"


class ChunkTerms:
    """Fills the terms in, and finds chunks by them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def queued(self, partition: PartitionKey, after_id: UUID = BEFORE_ALL_CHUNKS, limit: int = 500) -> list[QueuedText]:
        """Read chunks of the partition whose terms are missing or outdated, by id."""
        parameters = {**partition_parameters(partition), "after_id": after_id, "limit": limit}
        with self._database.transaction() as connection:
            return [QueuedText(*row) for row in connection.execute(_QUEUED, parameters)]

    @repeatable
    def store(self, partition: PartitionKey, found: Sequence[tuple[QueuedText, TermCounts]]) -> None:
        """Store the terms of chunks in one transaction, except where the text has changed since it was read."""
        rows = [
            {
                **partition_parameters(partition),
                "chunk_id": queued.chunk_id,
                "content_hash": queued.content_hash,
                **vars(counts),
            }
            for queued, counts in found
        ]
        with self._database.transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(_STORE, rows)

    @repeatable
    def refresh_statistics(self, least_change: float) -> bool:
        """Count in how many chunks each term occurs, if the number of chunks has changed by this share since.

        Another process that counts at the moment is not waited for. Returns whether it was counted.
        """
        with self._database.transaction() as connection:
            (chunks,) = connection.execute(_COUNT).fetchone() or (0,)
            counted, _ = connection.execute(_COUNTED).fetchone() or (0, 0.0)
            if abs(chunks - counted) <= least_change * counted:
                return False
            locked = connection.execute(_TRY_LOCK).fetchone()
            if locked is None or not locked[0]:
                return False
            for statement in (_FORGET_STATISTICS, _COUNT_TERMS, _COUNT_TOTALS):
                connection.execute(statement)
            return True

    @repeatable
    def question(self, counts: TermCounts) -> QuestionTerms | None:
        """Look the terms of a question up; None where it has none, or nothing has been counted yet."""
        with self._database.transaction() as connection:
            total, average = connection.execute(_COUNTED).fetchone() or (0, 0.0)
            found: Mapping[int, int] = dict(connection.execute(_CHUNKS_WITH, {"ids": counts.term_ids}).fetchall())
        if not total or not counts.term_ids:
            return None
        ids = sorted(counts.term_ids, key=lambda id_: found.get(id_, 0))[:_MOST_TERMS]
        chunks = [found.get(id_, 0) for id_ in ids]
        # Robertson and Zaragoza 2009, with 1 added so that a term in most chunks counts for nothing, not against them.
        rarities = [math.log(1 + (max(total - number, 0) + 0.5) / (number + 0.5)) for number in chunks]
        return QuestionTerms(ids, chunks, rarities, max(average, 1.0))

    @repeatable
    def candidates(self, question: QuestionTerms, where: ChunkFilter, limit: int) -> list[tuple[UUID, float]]:
        """Find the chunks with the highest BM25, best first, among those that have the rarest terms."""
        parameters = _parameters(question) | filter_parameters(where) | {"limit": limit}
        with self._database.transaction() as connection:
            return _Candidates(connection, parameters, where).find(question)

    @repeatable
    def scores(self, question: QuestionTerms, chunk_ids: Sequence[UUID]) -> dict[UUID, float]:
        """Compute the BM25 of the chunks; one that has none of the terms, or no terms yet, is left out."""
        parameters = _parameters(question) | {"chunk_ids": list(chunk_ids)}
        with self._database.transaction() as connection:
            rows = connection.execute(_scored(question, _OF_CHUNKS), parameters).fetchall()
        return {chunk_id: score for chunk_id, score in rows if score > 0}


@dataclass(frozen=True)
class _Candidates:
    """Looks chunks up by terms, among those that a filter names."""

    connection: Connection
    parameters: dict[str, object]
    where: ChunkFilter

    def find(self, question: QuestionTerms) -> list[tuple[UUID, float]]:
        """Find chunks with the rarest terms; where the filter names few chunks, with any of the terms."""
        ids, few = question.term_ids, self.where.chunks is not None and self.where.chunks <= _FEW_CHUNKS
        if not few and question.chunks[0] > _MANY_CHUNKS:
            found = self._with_most_terms(question)
            if len(found) >= _FEW:
                return found
        return self._ranked(question, _WITH_ANY, ids if few else ids[: _rarest(question.chunks)])

    def _with_most_terms(self, question: QuestionTerms) -> list[tuple[UUID, float]]:
        """Find chunks with as many of the rarest terms, two at least, as a few chunks have; none: fewer have two."""
        ids, best = question.term_ids, list[tuple[UUID, float]]()
        fewest, most = 2, len(ids)
        while fewest <= most:
            number = (fewest + most) // 2
            found = self._ranked(question, _WITH_ALL, ids[:number])
            if len(found) >= _FEW:
                best, fewest = found, number + 1
            else:
                most = number - 1
        return best

    def _ranked(self, question: QuestionTerms, selected: LiteralString, ids: Sequence[int]) -> list[tuple[UUID, float]]:
        passes = of_documents(self.where)
        documents = passes if passes == "true" else _OF_DOCUMENTS.format(passes=passes)
        wanted = " AND ".join([selected, in_partitions(self.where, "c"), documents])
        query = sql.SQL(_BEST).format(scored=_scored(question, wanted))
        return self.connection.execute(query, self.parameters | {"rarest": list(ids)}).fetchall()


def _scored(question: QuestionTerms, wanted: LiteralString) -> sql.Composed:
    """Write the query for the BM25 of the chunks that are wanted; 0 where a chunk has none of the terms."""
    parts, frequencies = [], []
    for number, (term_id, rarity) in enumerate(zip(question.term_ids, question.rarities, strict=True)):
        frequency = sql.Identifier(f"f{number}")
        frequencies.append(sql.SQL(_FREQUENCY).format(id=sql.Literal(term_id), frequency=frequency))
        parts.append(sql.SQL(_PART).format(rarity=sql.Literal(rarity), frequency=frequency))
    return sql.SQL(_SCORED).format(
        parts=sql.SQL(" + ").join(parts), frequencies=sql.SQL(", ").join(frequencies), wanted=sql.SQL(wanted)
    )


def _rarest(chunks: Sequence[int]) -> int:
    """Count how many of the terms, the rarest first, are enough to look chunks up by: one at least."""
    found = 0
    for place, number in enumerate(chunks, 1):
        found += number
        if found >= _ENOUGH_CHUNKS:
            return place
    return len(chunks)


def _parameters(question: QuestionTerms) -> dict[str, object]:
    return {"average": question.average_length, "k1": _K1, "b": _B}
