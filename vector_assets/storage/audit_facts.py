"""The facts that the tables hold about a partition's chunks and vectors: counts, examples and samples.

They cost what the run did, however large the partition is: it is counted by the rows that triggers keep, and read are
the vectors of the run and a random sample. Memory does not grow with the partition, and no transaction is open while a
model works.
"""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID
from zlib import crc32

from psycopg import sql

from ..domain.partition_keys import PartitionKey
from ..domain.spaces import Vectors
from ..quality.partition_facts import ChunkText, NearestChunk, PartitionVectorFacts, SharedVector, TruncatedChunk
from .binary_arrays import HalfVectors
from .chunks import DUE, QUEUED
from .database import Connection, Database, repeatable
from .partition_columns import IN_PARTITION
from .partition_samples import SAMPLE_CHUNKS, SAMPLED_CHUNKS, sample_parameters
from .spaces import vectors_table

# Rows whose version is older than this were committed when it was read.
_MOMENT: LiteralString = "SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text"

# A vector counts if it was made of the chunk's present text. It is joined by the chunk alone: if the partition columns
# were compared by equality, PostgreSQL would look vectors up by partition. Without statistics it expects one row there,
# and compares each chunk of a partition with each of its vectors.
_VECTOR: LiteralString = """
v.chunk_id = c.id AND v.content_hash = c.content_hash
AND (v.market, v.doc_type, v.stock_code) IS NOT DISTINCT FROM (c.market, c.doc_type, c.stock_code)
"""

# What is counted of the whole partition, at one moment. A row of the queue that somebody wrote during the run became
# pending, or due, during it.
_COUNTED: LiteralString = f"""
SELECT c.chunks, p.pending, p.missed, p.failed_once, p.quarantined,
       v.vectors, v.tokens, v.tokens_lost, v.truncated_chunks
FROM (SELECT coalesce(sum(chunks), 0)::bigint AS chunks FROM chunk_counts WHERE {IN_PARTITION}) c,
     (SELECT coalesce(sum(vectors), 0)::bigint AS vectors, coalesce(sum(tokens), 0)::bigint AS tokens,
             coalesce(sum(tokens_lost), 0)::bigint AS tokens_lost,
             coalesce(sum(truncated_chunks), 0)::bigint AS truncated_chunks
      FROM vector_counts WHERE space = %(space)s AND {IN_PARTITION}) v,
     (SELECT count(*) FILTER (WHERE p.next_attempt_at < 'infinity') AS pending,
             count(*) FILTER (WHERE {DUE} AND age(p.xmin) > age(%(moment)s::xid)) AS missed,
             count(*) FILTER (WHERE p.next_attempt_at < 'infinity' AND NOT {DUE}) AS failed_once,
             count(*) FILTER (WHERE p.next_attempt_at = 'infinity') AS quarantined
      FROM pending_chunks p WHERE space = %(space)s AND {IN_PARTITION}) p
"""

# What is read: the chunks whose vectors the run has made, and a sample, which is the whole of a small partition.
# The seed gives every chunk its place in a random order.
_READ: LiteralString = f"""
WITH sampled AS MATERIALIZED ({SAMPLED_CHUNKS}),
made AS MATERIALIZED (
    SELECT chunk_id AS id FROM {{table}} WHERE {IN_PARTITION} AND run_id = %(run_id)s
), audited AS MATERIALIZED (
    SELECT c.id, p.chunk_id IS NOT NULL AS queued, v.chunk_id IS NOT NULL AS has_vector,
           s.id IS NOT NULL AND c.content_hash <> sha256(convert_to(c.text, 'UTF8')) AS wrong_hash,
           abs(l2_norm(v.embedding) - 1) > %(tolerance)s AS wrong_norm, v.token_count - v.tokens_embedded AS lost,
           coalesce(v.run_id = %(run_id)s, false) AS from_run, uuid_hash_extended(c.id, %(seed)s) AS place
    FROM (SELECT id FROM sampled UNION SELECT id FROM made) read
    JOIN document_chunks c ON c.id = read.id
    LEFT JOIN sampled s ON s.id = c.id
    LEFT JOIN {{table}} v ON {{vector}}
    LEFT JOIN pending_chunks p ON {{queued}}
)
SELECT count(*), count(*) FILTER (WHERE NOT queued AND NOT has_vector), count(*) FILTER (WHERE wrong_hash),
       count(*) FILTER (WHERE wrong_norm),
       ARRAY(SELECT id FROM audited WHERE lost > 0 ORDER BY lost DESC, id LIMIT %(examples)s),
       ARRAY(SELECT id FROM audited WHERE has_vector ORDER BY place LIMIT %(compared)s),
       ARRAY(SELECT id FROM audited WHERE has_vector AND from_run ORDER BY place LIMIT %(sample)s)
FROM audited
"""

_TRUNCATED: LiteralString = """
SELECT d.source_uri, c.chunk_index, v.token_count, v.tokens_embedded
FROM document_chunks c JOIN {table} v ON {vector} JOIN documents d ON d.id = c.document_id
WHERE c.id = ANY(%(ids)s) ORDER BY v.token_count - v.tokens_embedded DESC, c.id
"""

# Equal to the last bit, because an embedder that mixes texts up makes them so. Among a sample, because such an embedder
# does not do it to two rows of a million. The first and the last chunk by content hash have different texts.
_SHARED: LiteralString = """
WITH shared AS (
    SELECT count(*) AS chunks, (array_agg(c.id ORDER BY c.content_hash, c.id))[1] AS first,
           (array_agg(c.id ORDER BY c.content_hash DESC, c.id))[1] AS second
    FROM document_chunks c JOIN {table} v ON {vector} WHERE c.id = ANY(%(ids)s)
    GROUP BY v.embedding HAVING count(DISTINCT c.content_hash) > 1
)
SELECT s.chunks, c.id, d.source_uri, c.chunk_index, c.text, o.id, p.source_uri, o.chunk_index, o.text
FROM shared s
JOIN document_chunks c ON c.id = s.first JOIN documents d ON d.id = c.document_id
JOIN document_chunks o ON o.id = s.second JOIN documents p ON p.id = o.document_id
ORDER BY s.chunks DESC, c.id LIMIT %(examples)s
"""

_SAMPLE: LiteralString = """
SELECT c.id, d.source_uri, c.chunk_index, c.text, c.id = ANY(%(own)s)
FROM document_chunks c JOIN documents d ON d.id = c.document_id
WHERE c.id = ANY(%(ids)s) ORDER BY uuid_hash_extended(c.id, %(seed)s)
"""

# The sample is compared, and the chunks' own vectors, in aggregates, so that no approximate index is used.
_NEAREST: LiteralString = f"""
WITH compared AS MATERIALIZED (
    SELECT c.id, v.embedding, row_number() OVER () AS number
    FROM (SELECT id FROM ({SAMPLED_CHUNKS}) s UNION SELECT unnest(%(ids)b::uuid[])) read
    JOIN document_chunks c ON c.id = read.id
    JOIN {{table}} v ON {{vector}}
    WHERE (c.market, c.doc_type, c.stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)
), found AS (
    SELECT a.chunk_id, min(v.embedding <=> a.vector) FILTER (WHERE v.id = a.chunk_id) AS own,
           min(ARRAY[v.embedding <=> a.vector, v.number]) AS nearest, count(*) AS compared
    FROM unnest(%(ids)b::uuid[], %(vectors)b::halfvec[]) AS a (chunk_id, vector) CROSS JOIN compared v
    GROUP BY a.chunk_id
)
SELECT f.chunk_id, f.own, v.id, f.nearest[1], f.compared
FROM found f JOIN compared v ON v.number = f.nearest[2]
WHERE f.own IS NOT NULL ORDER BY f.chunk_id
"""

# Without statistics PostgreSQL expects a row or two, and would sort all pairs of vectors on disk instead of one pass.
_NO_SORT: LiteralString = "SET LOCAL enable_sort = off"

_NAMED: LiteralString = """
SELECT c.id, d.source_uri, c.chunk_index, c.text
FROM document_chunks c JOIN documents d ON d.id = c.document_id WHERE c.id = ANY(%(ids)s)
"""

# Rows given as examples, vectors compared for being equal (0.4 MB), and chunks whose texts are sampled (16 kB).
_SIZES = {"examples": 5, "compared": 500, "sample": 16}


class AuditFacts:
    """Reads facts; the checks in `quality/` judge them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def moment(self) -> str:
        """Give the present moment, as the database counts its transactions, for `of_vectors` after the run."""
        with self._database.transaction() as connection:
            row = connection.execute(_MOMENT).fetchone()
        assert row is not None
        return str(row[0])

    @repeatable
    def of_vectors(
        self, partition: PartitionKey, space_slug: str, run_id: str, moment: str, norm_tolerance: float
    ) -> PartitionVectorFacts:
        """Count a partition, and read vectors of it, after the run that began at the moment.

        Which ones are read depends on the run's id only. The sample has at most 16 of them, and at most 16 more that
        the run embedded.
        """
        parameters = {
            **sample_parameters(partition, run_id, SAMPLE_CHUNKS),
            "space": space_slug,
            "run_id": run_id,
            "seed": crc32(run_id.encode()),
            "moment": moment,
            "tolerance": norm_tolerance,
            **_SIZES,
        }
        with self._database.transaction() as connection:
            return _read_facts(_PartitionQueries(connection, space_slug, parameters))

    @repeatable
    def nearest(
        self, partition: PartitionKey, space_slug: str, run_id: str, chunk_ids: Sequence[UUID], vectors: Vectors
    ) -> list[NearestChunk]:
        """Search the vectors that are read after the run, exactly, with one vector for each of the chunks.

        Chunks that have no current vector any more are left out.
        """
        parameters = {
            **sample_parameters(partition, run_id, SAMPLE_CHUNKS),
            "ids": list(chunk_ids),
            "vectors": HalfVectors(vectors),
        }
        with self._database.transaction() as connection:
            connection.execute(_NO_SORT)
            rows = _PartitionQueries(connection, space_slug, parameters).rows(_NEAREST)
        return [NearestChunk(*row) for row in rows]

    @repeatable
    def named(self, chunk_ids: Sequence[UUID]) -> dict[UUID, ChunkText]:
        """Read the chunks with these ids, as far as they exist."""
        with self._database.transaction() as connection:
            rows = connection.execute(_NAMED, {"ids": list(chunk_ids)}).fetchall()
        return {row[0]: ChunkText(*row) for row in rows}


class _PartitionQueries:
    """Runs statements over one partition and the table of one space, with the same parameters."""

    def __init__(self, connection: Connection, space_slug: str, parameters: dict[str, Any]) -> None:
        self._connection = connection
        self._parameters = parameters
        fragments = {"queued": QUEUED, "vector": _VECTOR}
        self._fragments: dict[str, sql.Composable] = {name: sql.SQL(text) for name, text in fragments.items()}
        self._fragments["table"] = vectors_table(space_slug)

    def rows(self, statement: LiteralString, **more: list[UUID]) -> list[tuple[Any, ...]]:
        parameters = {**self._parameters, **more}
        return self._connection.execute(sql.SQL(statement).format(**self._fragments), parameters).fetchall()


def _shared_vector(row: tuple[Any, ...]) -> SharedVector:
    chunks, *both = row
    return SharedVector(chunks, ChunkText(*both[:4]), ChunkText(*both[4:]))


def _read_facts(queries: _PartitionQueries) -> PartitionVectorFacts:
    (counted,) = queries.rows(_COUNTED)
    chunks, pending, missed, failed_once, quarantined, vectors, tokens, lost, truncated = counted
    ((read, lacking, wrong_hash, wrong_norm, most, compared, own),) = queries.rows(_READ)
    without_vector = max(lacking, chunks - pending - quarantined - vectors, 0)
    sample = {*own, *compared[: _SIZES["sample"]]}
    most_truncated = queries.rows(_TRUNCATED, ids=most) if most else []
    return PartitionVectorFacts(
        chunks=chunks,
        pending=pending,
        missed=missed,
        failed_once=failed_once,
        quarantined=quarantined,
        current=chunks - pending - quarantined - without_vector,
        read=read,
        without_vector=without_vector,
        wrong_hash=wrong_hash,
        wrong_norm=wrong_norm,
        vectors=vectors,
        truncated_chunks=truncated,
        tokens=tokens,
        tokens_lost=lost,
        most_truncated=tuple(TruncatedChunk(*row) for row in most_truncated),
        compared=len(compared),
        shared_vectors=tuple(_shared_vector(row) for row in queries.rows(_SHARED, ids=compared)),
        sample=tuple(ChunkText(*row) for row in queries.rows(_SAMPLE, ids=list(sample), own=own)),
    )
