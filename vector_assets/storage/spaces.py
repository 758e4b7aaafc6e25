"""Embedding spaces: one table of vectors each, exactly one of them active."""

import re
from dataclasses import replace
from typing import LiteralString

from psycopg import sql

from ..domain.spaces import EmbeddingSpace
from ..errors import WeightsChanged
from .database import Connection, Database, repeatable

# Held while a space is registered or made active, so that two processes that start at once do it once.
_REGISTRATION_LOCK = "SELECT pg_advisory_xact_lock(hashtext('vector_assets: embedding spaces'))"

_REGISTER = """
INSERT INTO embedding_spaces (slug, model, revision, weights_digest, pooling, document_prompt, query_prompt,
                              dimension, max_tokens, generation, status)
VALUES (%(slug)s, %(model)s, %(revision)s, %(weights_digest)s, %(pooling)s, %(document_prompt)s, %(query_prompt)s,
        %(dimension)s, %(max_tokens)s, %(generation)s, 'candidate')
ON CONFLICT (slug) DO NOTHING
"""

_ACTIVE = """
SELECT model, revision, pooling, document_prompt, query_prompt, dimension, max_tokens, weights_digest, generation
FROM embedding_spaces WHERE status = 'active'
"""

_NEWEST_GENERATION = """
SELECT max(generation) FROM embedding_spaces
WHERE (model, revision, pooling, document_prompt, query_prompt, dimension)
    = (%(model)s, %(revision)s, %(pooling)s, %(document_prompt)s, %(query_prompt)s, %(dimension)s)
"""

_CREATE_TABLE: LiteralString = """
CREATE TABLE IF NOT EXISTS {table} (
    chunk_id        bigint PRIMARY KEY REFERENCES document_chunks ON DELETE CASCADE,
    market          text NOT NULL,
    doc_type        text NOT NULL,
    stock_code      text NOT NULL,
    content_hash    bytea NOT NULL,
    embedding       halfvec({dimension}) NOT NULL,
    token_count     integer NOT NULL,
    tokens_embedded integer NOT NULL,
    run_id          text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS {partition_index} ON {table} (market, doc_type, stock_code);
CREATE OR REPLACE TRIGGER deleted AFTER DELETE ON {table}
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION chunk_vectors_deleted();
CREATE OR REPLACE TRIGGER truncated AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION chunk_vectors_truncated();
"""

# Two statements, for the index of the one active space allows no moment with two.
_RETIRE_OTHERS = "UPDATE embedding_spaces SET status = 'retired' WHERE status = 'active' AND slug <> %(slug)s"
_ACTIVATE = "UPDATE embedding_spaces SET status = 'active' WHERE slug = %(slug)s"

# vectorized_at speaks of the active space: when another becomes active, it is told anew from that space's vectors.
_RETELL_VECTORIZED_AT: LiteralString = """
UPDATE document_chunks c SET vectorized_at = told.created_at
FROM (SELECT c.id, v.created_at
      FROM document_chunks c
      LEFT JOIN {table} v ON v.chunk_id = c.id AND v.content_hash = c.content_hash
            AND (v.market, v.doc_type, v.stock_code) = (c.market, c.doc_type, c.stock_code)) told
WHERE told.id = c.id AND c.vectorized_at IS DISTINCT FROM told.created_at
"""


def vectors_table(slug: str) -> sql.Identifier:
    """The table of a space's vectors, quoted."""
    assert re.fullmatch(r"[a-z0-9_]{1,40}", slug), slug
    return sql.Identifier(f"chunk_vectors_{slug}")


class SpaceRegistry:
    """Knows which spaces there are and which one is active."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def active(self) -> EmbeddingSpace | None:
        """The active space; None before the first run."""
        with self._database.transaction() as connection:
            row = connection.execute(_ACTIVE).fetchone()
        return EmbeddingSpace(*row) if row else None

    @repeatable
    def newest(self, space: EmbeddingSpace) -> EmbeddingSpace:
        """The same in the newest generation that is registered; as it is, where none is."""
        with self._database.transaction() as connection:
            row = connection.execute(_NEWEST_GENERATION, vars(space)).fetchone()
        return replace(space, generation=row[0]) if row and row[0] is not None else space

    @repeatable
    def is_registered(self, space: EmbeddingSpace) -> bool:
        """Whether the space has its table.

        Raises:
            WeightsChanged: the space is known, but with other weights.
        """
        with self._database.transaction() as connection:
            registered = _weights_digest(connection, space)
        if registered is not None and registered != space.weights_digest:
            raise WeightsChanged(space.model, registered, space.weights_digest)
        return registered is not None

    @repeatable
    def activate(self, space: EmbeddingSpace) -> None:
        """Register the space if it is new, and make it the active one. Cheap when it is so already.

        Raises:
            WeightsChanged: the space is known, but with other weights.
        """
        with self._database.transaction() as connection:
            connection.execute(_REGISTRATION_LOCK)
            before = connection.execute("SELECT slug FROM embedding_spaces WHERE status = 'active'").fetchone()
            registered = _weights_digest(connection, space)
            if registered is None:
                self._register(connection, space)
            elif registered != space.weights_digest:
                raise WeightsChanged(space.model, registered, space.weights_digest)
            if before is None or before[0] != space.slug:
                connection.execute(_RETIRE_OTHERS, {"slug": space.slug})
                connection.execute(_ACTIVATE, {"slug": space.slug})
                connection.execute(sql.SQL(_RETELL_VECTORIZED_AT).format(table=vectors_table(space.slug)))

    def _register(self, connection: Connection, space: EmbeddingSpace) -> None:
        connection.execute(_REGISTER, {
            "slug": space.slug, "model": space.model, "revision": space.revision,
            "weights_digest": space.weights_digest, "pooling": space.pooling,
            "document_prompt": space.document_prompt, "query_prompt": space.query_prompt,
            "dimension": space.dimension, "max_tokens": space.max_tokens, "generation": space.generation,
        })  # fmt: skip
        connection.execute(
            sql.SQL(_CREATE_TABLE).format(
                table=vectors_table(space.slug),
                dimension=sql.Literal(space.dimension),
                partition_index=sql.Identifier(f"chunk_vectors_{space.slug}_part"),
            )
        )


def _weights_digest(connection: Connection, space: EmbeddingSpace) -> str | None:
    query = "SELECT weights_digest FROM embedding_spaces WHERE slug = %s"
    row = connection.execute(query, (space.slug,)).fetchone()
    return row[0] if row else None
