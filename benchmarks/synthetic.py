"""Fills an empty database with synthetic rows: many partitions, of which some have pending and quarantined chunks.

It writes what the triggers would have written and keeps them from running, which takes a superuser. 5,000,000 chunks of
900 characters are 7 GB; their vectors would be 5 GB more, so that only some are made unless --vectors says otherwise.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.spaces import EmbeddingSpace
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.database import Connection, Database

Tell = Callable[[str], object]

MARKETS = ("us", "hk", "cn")
DOC_TYPES = ("annual_report", "quarterly_report", "announcement")
# A statement for so many chunks: what is told of the work moves every few seconds.
_AT_ONCE = 250_000

# Documents and chunks are numbered, and their ids are in the order of the numbers, as those of real rows are in time.
_ID = """
CREATE FUNCTION pg_temp.id_of(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$
"""
# One after another through the markets and types, so that the first partitions are of all of them.
_PARTITIONS = """
CREATE TEMP TABLE synthetic AS
SELECT n, (%(markets)s::text[])[1 + mod(n, %(m)s)] AS market,
       (%(doc_types)s::text[])[1 + mod(n / %(m)s, %(d)s)] AS doc_type,
       'S' || lpad((n / (%(m)s * %(d)s))::text, 5, '0') AS stock_code,
       n * %(pending_partitions)s / %(partitions)s <> (n + 1) * %(pending_partitions)s / %(partitions)s AS has_pending,
       n * %(quarantined_partitions)s / %(partitions)s
           <> (n + 1) * %(quarantined_partitions)s / %(partitions)s AS has_quarantined,
       now() - make_interval(mins => 1 + mod(n * 7919, 2000)) AS written_at
FROM generate_series(0, %(partitions)s - 1) n
"""
_DOCUMENTS = """
INSERT INTO documents (id, market, doc_type, stock_code, source_uri, text, content_hash)
SELECT pg_temp.id_of(n * %(documents)s + d), market, doc_type, stock_code,
       concat_ws('/', market, doc_type, stock_code, 'synthetic-' || d || '.txt'), 'text', sha256('text')
FROM synthetic, generate_series(1, %(documents)s) d
"""
_CHUNKS = """
INSERT INTO document_chunks (id, document_id, market, doc_type, stock_code, chunk_index, text, content_hash,
                             created_at, updated_at)
SELECT id, document_id, market, doc_type, stock_code, chunk_index, text, sha256(convert_to(text, 'UTF8')),
       written_at, written_at
FROM (SELECT pg_temp.id_of(n * %(chunks)s + c + 1) AS id,
             pg_temp.id_of(n * %(documents)s + 1 + mod(c, %(documents)s)) AS document_id,
             c / %(documents)s AS chunk_index, s.*,
             left('chunk ' || c || ' of ' || n || ' ' || repeat(md5(c::text), %(repeats)s), %(characters)s) AS text
      FROM synthetic s, generate_series(0, %(chunks)s - 1) c
      WHERE n >= %(first)s AND n < %(last)s) made
"""
# The first chunks of a partition are those that have no vector: quarantined ones, then pending ones.
_QUEUE = """
INSERT INTO pending_chunks (space, market, doc_type, stock_code, chunk_id, content_hash, pending_since,
                            next_attempt_at, attempts, error, message, run_id, failed_at)
SELECT %(space)s, c.market, c.doc_type, c.stock_code, c.id, c.content_hash, q.written_at,
       CASE WHEN failed THEN 'infinity' ELSE '-infinity' END::timestamptz, failed::integer,
       CASE WHEN failed THEN 'ValueError' END, CASE WHEN failed THEN 'synthetic' END,
       CASE WHEN failed THEN 'synthetic' END, CASE WHEN failed THEN q.written_at END
FROM (SELECT s.*, number, has_quarantined AND number < %(quarantined_chunks)s AS failed
      FROM synthetic s,
           generate_series(0, least(%(quarantined_chunks)s + %(pending_chunks)s, %(chunks)s) - 1) number) q
JOIN document_chunks c ON c.id = pg_temp.id_of(q.n * %(chunks)s + q.number + 1)
WHERE failed OR has_pending
"""
# Two of these are added for a vector: random enough, and a thousand times faster than as many random numbers.
_DIRECTIONS = """
CREATE TEMP TABLE directions AS
SELECT n, (SELECT array_agg(random() - 0.5 + 0 * (n + c))
           FROM generate_series(1, %(dimension)s) c)::halfvec AS direction
FROM generate_series(0, 1999) n
"""
_VECTORS = """
INSERT INTO {table} (chunk_id, market, doc_type, stock_code, content_hash, embedding, token_count, tokens_embedded,
                     run_id)
SELECT c.id, c.market, c.doc_type, c.stock_code, c.content_hash, l2_normalize(a.direction + b.direction),
       200, 200, 'synthetic'
FROM (SELECT *, ('x' || right(id::text, 12))::bit(48)::bigint AS number FROM document_chunks) c
JOIN directions a ON a.n = mod(c.number / 1000, 1000) JOIN directions b ON b.n = 1000 + mod(c.number, 1000)
WHERE c.id > pg_temp.id_of(%(after)s) AND c.id <= pg_temp.id_of(least(%(up_to)s, %(vectors)s))
  AND NOT EXISTS (SELECT FROM pending_chunks p
                  WHERE (p.space, p.market, p.doc_type, p.stock_code, p.chunk_id)
                        = (%(space)s, c.market, c.doc_type, c.stock_code, c.id))
"""
_LAST_RUNS = """
INSERT INTO last_runs (space, market, doc_type, stock_code, run_id, ended_at, chunks, tokens, seconds)
SELECT %(space)s, market, doc_type, stock_code, 'synthetic-' || n, written_at, %(chunks)s, %(chunks)s * 200,
       %(chunks)s / 100.0
FROM synthetic
"""
_CHUNK_COUNTS = """
INSERT INTO chunk_counts (market, doc_type, stock_code, chunks, digest)
SELECT market, doc_type, stock_code, count(*), sum(('x' || encode(substr(content_hash, 1, 8), 'hex'))::bit(64)::bigint)
FROM document_chunks GROUP BY 1, 2, 3
"""
_VECTOR_COUNTS = """
INSERT INTO vector_counts (space, market, doc_type, stock_code, vectors, tokens, tokens_lost, truncated_chunks)
SELECT %(space)s, market, doc_type, stock_code, count(*), sum(token_count), 0, 0 FROM {table} GROUP BY 2, 3, 4
"""
# Those that run even where a session is a replica.
_TRIGGERS = """
SELECT t.tgrelid::regclass::text, quote_ident(t.tgname) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND t.tgenabled = 'A'
"""
# Those that back no constraint: built at the end, they take a third of the time.
_INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
FROM pg_index i WHERE i.indrelid = 'document_chunks'::regclass AND NOT i.indisunique
"""


@dataclass(frozen=True)
class Shape:
    """How much is made. Pending and quarantined chunks are per partition that has any."""

    partitions: int = 20_000
    chunks: int = 250
    documents: int = 5
    pending_partitions: int = 2_000
    pending_chunks: int = 25
    quarantined_partitions: int = 200
    quarantined_chunks: int = 2
    characters: int = 900
    vectors: int = 100_000
    markets: tuple[str, ...] = MARKETS
    doc_types: tuple[str, ...] = DOC_TYPES

    @property
    def total(self) -> int:
        """Chunks of all partitions."""
        return self.partitions * self.chunks

    def keys(self) -> list[PartitionKey]:
        """The partitions, sorted."""
        each = len(self.markets) * len(self.doc_types)
        return sorted(
            PartitionKey(
                self.markets[n % len(self.markets)],
                self.doc_types[n // len(self.markets) % len(self.doc_types)],
                f"S{n // each:05}",
            )
            for n in range(self.partitions)
        )


def fill(database: Database, space: EmbeddingSpace, shape: Shape, tell: Tell = lambda _: None) -> None:
    """Put synthetic rows into an empty database whose serving space this is; `tell` gets a line every few seconds."""
    parameters = _parameters(space, shape)
    with database.transaction() as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL maintenance_work_mem = '1GB'")
        triggers = connection.execute(_TRIGGERS).fetchall()
        for table, name in triggers:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        connection.execute(_ID)
        connection.execute(_PARTITIONS, parameters)
        connection.execute(_DOCUMENTS, parameters)
        indexes = connection.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        _fill_chunks(connection, shape, parameters, tell)
        for name, definition in indexes:
            tell(f"index {name}")
            connection.execute(definition)
        connection.execute(_CHUNK_COUNTS)
        connection.execute(_QUEUE, parameters)
        connection.execute(_LAST_RUNS, parameters)
        _fill_vectors(connection, space, shape, parameters, tell)
        connection.execute(_VECTOR_COUNTS.format(table=f"chunk_vectors_{space.slug}"), parameters)
        connection.execute("DROP TABLE synthetic, directions")
        for table, name in triggers:
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
    tell("vacuum and analyze")
    with database.transaction() as connection:
        connection.commit()
        connection.autocommit = True  # VACUUM allows no transaction around it
        connection.execute("VACUUM (ANALYZE)")
        connection.autocommit = False


def _parameters(space: EmbeddingSpace, shape: Shape) -> dict[str, Any]:
    return {
        **vars(shape),
        "markets": list(shape.markets),
        "doc_types": list(shape.doc_types),
        "m": len(shape.markets),
        "d": len(shape.doc_types),
        "repeats": math.ceil(shape.characters / 32),
        "space": space.slug,
    }


def _fill_chunks(connection: Connection, shape: Shape, parameters: dict[str, Any], tell: Tell) -> None:
    step = max(_AT_ONCE // shape.chunks, 1)
    for first in range(0, shape.partitions, step):
        connection.execute(_CHUNKS, {**parameters, "first": first, "last": first + step})
        tell(f"chunks {min(first + step, shape.partitions) * shape.chunks:,}/{shape.total:,}")


def _fill_vectors(
    connection: Connection, space: EmbeddingSpace, shape: Shape, parameters: dict[str, Any], tell: Tell
) -> None:
    table = f"chunk_vectors_{space.slug}"
    connection.execute(_DIRECTIONS, {"dimension": space.dimension})
    for after in range(0, min(shape.vectors, shape.total), _AT_ONCE):
        connection.execute(_VECTORS.format(table=table), {**parameters, "after": after, "up_to": after + _AT_ONCE})
        tell(f"vectors {min(after + _AT_ONCE, shape.vectors):,}/{min(shape.vectors, shape.total):,}")


def teller() -> Tell:
    """Prints a line with the seconds since it was made."""
    begun = time.monotonic()
    return lambda line: print(f"{time.monotonic() - begun:6.1f} s  {line}", flush=True)


def add_shape_options(parser: argparse.ArgumentParser, shape: Shape | None = None) -> None:
    """One option for each number of the shape, with its default."""
    for name, value in vars(shape or Shape()).items():
        if isinstance(value, int):
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value, help=f"default {value:,}")


def shape_of(arguments: argparse.Namespace) -> Shape:
    """What the options say."""
    return Shape(**{name: value for name, value in vars(arguments).items() if name in Shape.__dataclass_fields__})


def main() -> None:
    """Fill the database of a home directory, which then stays."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, nargs="?", help="VECTOR_ASSETS_HOME of the new database; default: a new one")
    add_shape_options(parser)
    arguments = parser.parse_args()
    home = arguments.home or Path(tempfile.mkdtemp(prefix="synthetic-"))
    with Services(load_settings(home=home)) as services:
        services.spaces.register_first(services.space)
        fill(services.database, services.space, shape_of(arguments), teller())
    print(f"VECTOR_ASSETS_HOME={home}")


if __name__ == "__main__":
    main()
