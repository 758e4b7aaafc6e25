"""What the tables say for and against a partition's chunks and vectors: figures, examples and samples to try.

Nothing here is held in memory that grows with the partition, and nothing is left open while a model works.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple
from zlib import crc32

from psycopg import sql

from ..domain.partition_keys import PartitionKey
from ..domain.spaces import Vectors
from .chunks import PENDING
from .database import Connection, Database, repeatable
from .halfvec_arrays import HalfVectors
from .spaces import vectors_table


class ChunkText(NamedTuple):
    """A chunk as it is stored, by whichever program. `is_new`: its vector was made by the run that asks."""

    id: int
    document: str
    chunk_index: int
    text: str
    is_new: bool = False


@dataclass(frozen=True)
class TruncatedChunk:
    """A chunk of which the model saw only a part, in tokens."""

    document: str
    chunk_index: int
    token_count: int
    tokens_embedded: int


@dataclass(frozen=True)
class Twins:
    """Two chunks with other texts and the very same vector, of `chunks` that have it."""

    chunks: int
    one: ChunkText
    other: ChunkText


@dataclass(frozen=True)
class VectorEvidence:
    """A partition as one space's table has it; the counts, of chunks, are all of one moment.

    `left_behind` are pending although nobody has touched them since the run began. `without_vector` are marked as
    current and have no vector here. `off_norm` have a vector whose length is not 1. `tokens` and `tokens_lost` are of
    all current vectors; of the chunks that were cut, `worst_truncated` are those that lost most.
    """

    chunks: int
    pending: int
    left_behind: int
    quarantined: int
    current: int
    without_vector: int
    off_norm: int
    cut: int
    tokens: int
    tokens_lost: int
    worst_truncated: tuple[TruncatedChunk, ...]
    compared: int
    twins: tuple[Twins, ...]
    sample: tuple[ChunkText, ...]


@dataclass(frozen=True)
class Nearest:
    """Of one vector that was asked with: its distance (1 - cosine) to the chunk's own, and the nearest chunk's."""

    chunk_id: int
    own_distance: float
    nearest_id: int
    nearest_distance: float


# Rows whose version is older than this were there, for everybody to see, when it was asked for.
_MOMENT: LiteralString = "SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text"

_IN_PARTITION: LiteralString = "(c.market, c.doc_type, c.stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)"

# A vector counts if it is that of the chunk's present text. It is found by the chunk alone: were the places equated,
# PostgreSQL would find vectors by the partition. Where it has no statistics yet, it takes that for one row, and
# compares each of a partition's chunks with each of its vectors.
_VECTOR: LiteralString = """
v.chunk_id = c.id AND v.content_hash = c.content_hash
AND (v.market, v.doc_type, v.stock_code) IS NOT DISTINCT FROM (c.market, c.doc_type, c.stock_code)
"""

# Freed for another try while the run was at work: pending, and nobody has touched the chunk itself.
_FREED: LiteralString = """
EXISTS (SELECT FROM chunk_failures f
        WHERE f.space = %(space)s AND f.chunk_id = c.id AND f.content_hash = c.content_hash)
"""

# One pass over the partition, for all that is asked of it. The seed gives every chunk its place in a random order.
_LOOKED_AT: LiteralString = """
WITH looked_at AS MATERIALIZED (
    SELECT c.id, c.vectorized_at IS NULL AS unmarked, {pending} AS pending,
           {pending} AND age(c.xmin) > age(%(moment)s::xid) AND NOT {freed} AS left_behind,
           v.chunk_id IS NOT NULL AS has_vector, abs(l2_norm(v.embedding) - 1) > %(tolerance)s AS off_norm,
           v.token_count AS tokens, v.token_count - v.tokens_embedded AS lost, v.run_id = %(run_id)s AS is_new,
           hashint8extended(c.id, %(seed)s) AS place
    FROM document_chunks c LEFT JOIN {table} v ON {vector}
    WHERE {within}
)
SELECT count(*), count(*) FILTER (WHERE pending), count(*) FILTER (WHERE left_behind),
       count(*) FILTER (WHERE unmarked), count(*) FILTER (WHERE NOT unmarked AND NOT has_vector),
       count(*) FILTER (WHERE off_norm), count(*) FILTER (WHERE lost > 0),
       coalesce(sum(tokens), 0), coalesce(sum(lost), 0),
       ARRAY(SELECT id FROM looked_at WHERE lost > 0 ORDER BY lost DESC, id LIMIT %(worst)s),
       ARRAY(SELECT id FROM looked_at WHERE has_vector ORDER BY place LIMIT %(compared)s),
       ARRAY(SELECT id FROM looked_at WHERE is_new ORDER BY place LIMIT %(sample)s)
FROM looked_at
"""

_CUT: LiteralString = """
SELECT d.source_uri, c.chunk_index, v.token_count, v.tokens_embedded
FROM document_chunks c JOIN {table} v ON {vector} JOIN documents d ON d.id = c.document_id
WHERE c.id = ANY(%(ids)s) ORDER BY v.token_count - v.tokens_embedded DESC, c.id
"""

# Equal to the last bit: a fault that makes vectors collapse makes them so. Of a sample, for what is collapsed is not
# two rows of a million; the first and the last by their hashes, which are other texts.
_TWINS: LiteralString = """
WITH twins AS (
    SELECT count(*) AS chunks, (array_agg(c.id ORDER BY c.content_hash, c.id))[1] AS one,
           (array_agg(c.id ORDER BY c.content_hash DESC, c.id))[1] AS other
    FROM document_chunks c JOIN {table} v ON {vector} WHERE c.id = ANY(%(ids)s)
    GROUP BY v.embedding HAVING count(DISTINCT c.content_hash) > 1
)
SELECT t.chunks, c.id, d.source_uri, c.chunk_index, c.text, o.id, p.source_uri, o.chunk_index, o.text
FROM twins t
JOIN document_chunks c ON c.id = t.one JOIN documents d ON d.id = c.document_id
JOIN document_chunks o ON o.id = t.other JOIN documents p ON p.id = o.document_id
ORDER BY t.chunks DESC, c.id LIMIT %(worst)s
"""

_SAMPLE: LiteralString = """
SELECT c.id, d.source_uri, c.chunk_index, c.text, c.id = ANY(%(new)s)
FROM document_chunks c JOIN documents d ON d.id = c.document_id
WHERE c.id = ANY(%(ids)s) ORDER BY hashint8extended(c.id, %(seed)s)
"""

# Every vector of the partition is compared: as aggregates, so that no approximate index answers.
_NEAREST: LiteralString = """
SELECT a.chunk_id, min(v.embedding <=> a.vector) FILTER (WHERE c.id = a.chunk_id),
       min(ARRAY[v.embedding <=> a.vector, c.id])
FROM unnest(%(ids)b::bigint[], %(vectors)b::halfvec[]) AS a (chunk_id, vector)
CROSS JOIN document_chunks c JOIN {table} v ON {vector}
WHERE {within} GROUP BY a.chunk_id
"""

# In one pass. Without statistics PostgreSQL expects a row or two, and would sort all pairs of vectors on the disk.
_NO_SORT: LiteralString = "SET LOCAL enable_sort = off"

_NAMED: LiteralString = """
SELECT c.id, d.source_uri, c.chunk_index, c.text
FROM document_chunks c JOIN documents d ON d.id = c.document_id WHERE c.id = ANY(%(ids)s)
"""

_TEXTS: LiteralString = """
SELECT c.id, d.source_uri, c.chunk_index, c.text
FROM document_chunks c JOIN documents d ON d.id = c.document_id
WHERE (c.market, c.doc_type, c.stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s) AND c.id > %(after_id)s
ORDER BY c.id LIMIT %(limit)s
"""

# Chunks read at a time: about a megabyte of text.
_WINDOW = 1000
# Rows shown of anything.
_WORST = 5
# Vectors compared for being the same, and texts to be looked at: 0.4 MB and 16 kB.
_COMPARED = 500
_SAMPLE_TEXTS = 16


class Evidence:
    """Reads, and judges nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def moment(self) -> str:
        """Now, as the database counts its transactions; to be given to `of_vectors` later."""
        with self._database.transaction() as connection:
            row = connection.execute(_MOMENT).fetchone()
        assert row is not None
        return str(row[0])

    @repeatable
    def of_vectors(
        self, partition: PartitionKey, space_slug: str, run_id: str, moment: str, norm_tolerance: float
    ) -> VectorEvidence:
        """What is to be said of a partition after the run that began at the moment.

        The sample is another one for each run, and always the same for one: at most 16 chunks with a current vector,
        and as many of those that the run embedded.
        """
        parameters = {
            **_key(partition),
            "space": space_slug,
            "run_id": run_id,
            "seed": crc32(run_id.encode()),
            "moment": moment,
            "tolerance": norm_tolerance,
            "worst": _WORST,
            "compared": _COMPARED,
            "sample": _SAMPLE_TEXTS,
        }
        with self._database.transaction() as connection:
            asked = _Asked(connection, space_slug, parameters)
            (row,) = asked.rows(_LOOKED_AT)
            chunks, pending, left, unmarked, without_vector, off_norm, cut, tokens, lost, worst, compared, new = row
            sample = {*new, *compared[:_SAMPLE_TEXTS]}
            return VectorEvidence(
                chunks=chunks,
                pending=pending,
                left_behind=left,
                quarantined=unmarked - pending,
                current=chunks - unmarked - without_vector,
                without_vector=without_vector,
                off_norm=off_norm,
                cut=cut,
                tokens=tokens,
                tokens_lost=lost,
                worst_truncated=tuple(TruncatedChunk(*row) for row in asked.rows(_CUT, ids=worst)) if worst else (),
                compared=len(compared),
                twins=tuple(_twins(row) for row in asked.rows(_TWINS, ids=compared)),
                sample=tuple(ChunkText(*row) for row in asked.rows(_SAMPLE, ids=list(sample), new=new)),
            )

    @repeatable
    def nearest(
        self, partition: PartitionKey, space_slug: str, chunk_ids: Sequence[int], vectors: Vectors
    ) -> list[Nearest]:
        """Ask, exactly and in the partition alone, with a vector for each of the chunks.

        Those that have no current vector any more are left out.
        """
        parameters = {**_key(partition), "ids": list(chunk_ids), "vectors": HalfVectors(vectors)}
        with self._database.transaction() as connection:
            connection.execute(_NO_SORT)
            rows = sorted(_Asked(connection, space_slug, parameters).rows(_NEAREST))
        return [Nearest(id_, own, int(nearest), distance) for id_, own, (distance, nearest) in rows if own is not None]

    @repeatable
    def named(self, chunk_ids: Sequence[int]) -> dict[int, ChunkText]:
        """The chunks with these ids, as far as they are still there."""
        with self._database.transaction() as connection:
            rows = connection.execute(_NAMED, {"ids": list(chunk_ids)}).fetchall()
        return {row[0]: ChunkText(*row) for row in rows}

    def texts(self, partition: PartitionKey) -> Iterator[ChunkText]:
        """All chunks of the partition, by id. Read window by window; none is held open."""
        after_id, more = 0, True
        while more:
            window = self._texts_after(partition, after_id)
            yield from window
            more = len(window) == _WINDOW
            after_id = window[-1].id if window else 0

    @repeatable
    def _texts_after(self, partition: PartitionKey, after_id: int) -> list[ChunkText]:
        parameters = {**_key(partition), "after_id": after_id, "limit": _WINDOW}
        with self._database.transaction() as connection:
            rows = connection.execute(_TEXTS, parameters).fetchall()
        return [ChunkText(*row) for row in rows]


class _Asked:
    """Statements over one space's table and one partition, all with the same parameters."""

    def __init__(self, connection: Connection, space_slug: str, parameters: dict[str, Any]) -> None:
        self._connection = connection
        self._parameters = parameters
        parts = {"pending": PENDING, "freed": _FREED, "vector": _VECTOR, "within": _IN_PARTITION}
        self._fragments: dict[str, sql.Composable] = {name: sql.SQL(part) for name, part in parts.items()}
        self._fragments["table"] = vectors_table(space_slug)

    def rows(self, statement: LiteralString, **more: list[int]) -> list[tuple[Any, ...]]:
        parameters = {**self._parameters, **more}
        return self._connection.execute(sql.SQL(statement).format(**self._fragments), parameters).fetchall()


def _twins(row: tuple[Any, ...]) -> Twins:
    chunks, *both = row
    return Twins(chunks, ChunkText(*both[:4]), ChunkText(*both[4:]))


def _key(partition: PartitionKey) -> dict[str, Any]:
    return {"market": partition.market, "doc_type": partition.doc_type, "stock_code": partition.stock_code}
