"""Embedding spaces: one table of vectors each, exactly one of them active."""

import re
from dataclasses import replace
from typing import LiteralString

from psycopg import sql

from ..domain.spaces import EmbeddingSpace
from ..errors import WeightsChanged
from .database import Connection, Database, repeatable

# Locked while a space is registered or made active, so that two processes that start at once do it once.
_REGISTRATION_LOCK = "SELECT pg_advisory_xact_lock(hashtext('vector_assets: embedding spaces'))"

# Add a space, with the whole recipe of its vectors.
_REGISTER = """
INSERT INTO embedding_spaces (slug, model, revision, weights_digest, pooling, document_prompt, query_prompt,
                              dimension, max_tokens, generation, status)
VALUES (%(slug)s, %(model)s, %(revision)s, %(weights_digest)s, %(pooling)s, %(document_prompt)s, %(query_prompt)s,
        %(dimension)s, %(max_tokens)s, %(generation)s, 'candidate')
ON CONFLICT (slug) DO NOTHING
"""

# The space that is searched and kept up to date; at most one row.
_ACTIVE = """
SELECT model, revision, pooling, document_prompt, query_prompt, dimension, max_tokens, weights_digest, generation
FROM embedding_spaces WHERE status = 'active'
"""

_ACTIVE_SLUG = "SELECT slug FROM embedding_spaces WHERE status = 'active'"

# The weights that a registered space was made with.
_WEIGHTS_DIGEST = "SELECT weights_digest FROM embedding_spaces WHERE slug = %s"

# How often somebody has accepted that this model's vectors changed (see `EmbeddingSpace.generation`).
_NEWEST_GENERATION = """
SELECT max(generation) FROM embedding_spaces
WHERE (model, revision, pooling, document_prompt, query_prompt, dimension)
    = (%(model)s, %(revision)s, %(pooling)s, %(document_prompt)s, %(query_prompt)s, %(dimension)s)
"""

# The space's table of vectors; its triggers make chunks pending whose vectors are deleted.
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

# Two statements, because the index on the one active space never allows two of them.
_RETIRE_OTHERS = "UPDATE embedding_spaces SET status = 'retired' WHERE status = 'active' AND slug <> %(slug)s"
_ACTIVATE = "UPDATE embedding_spaces SET status = 'active' WHERE slug = %(slug)s"

# vectorized_at is about the active space: when another becomes active, it is computed from that space's vectors.
_RECOMPUTE_VECTORIZED_AT: LiteralString = """
UPDATE document_chunks c SET vectorized_at = present.created_at
FROM (SELECT c.id, v.created_at
      FROM document_chunks c
      LEFT JOIN {table} v ON v.chunk_id = c.id AND v.content_hash = c.content_hash
            AND (v.market, v.doc_type, v.stock_code) = (c.market, c.doc_type, c.stock_code)) present
WHERE present.id = c.id AND c.vectorized_at IS DISTINCT FROM present.created_at
"""


def vectors_table(slug: str) -> sql.Identifier:
    """Name the table of a space's vectors, quoted."""
    assert re.fullmatch(r"[a-z0-9_]{1,40}", slug), slug
    return sql.Identifier(f"chunk_vectors_{slug}")


class SpaceRegistry:
    """Knows which spaces there are and which one is active."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def active(self) -> EmbeddingSpace | None:
        """Read the active space; None before the first run."""
        with self._database.transaction() as connection:
            row = connection.execute(_ACTIVE).fetchone()
        return EmbeddingSpace(*row) if row else None

    @repeatable
    def newest(self, space: EmbeddingSpace) -> EmbeddingSpace:
        """Give the space its newest registered generation; unchanged if none is registered."""
        with self._database.transaction() as connection:
            row = connection.execute(_NEWEST_GENERATION, vars(space)).fetchone()
        return replace(space, generation=row[0]) if row and row[0] is not None else space

    @repeatable
    def is_registered(self, space: EmbeddingSpace) -> bool:
        """Say whether the space has its table.

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
        """Register the space if it is new, and make it the active one. Cheap if it is already.

        Raises:
            WeightsChanged: the space is known, but with other weights.
        """
        with self._database.transaction() as connection:
            connection.execute(_REGISTRATION_LOCK)
            before = connection.execute(_ACTIVE_SLUG).fetchone()
            registered = _weights_digest(connection, space)
            if registered is None:
                self._register(connection, space)
            elif registered != space.weights_digest:
                raise WeightsChanged(space.model, registered, space.weights_digest)
            if before is None or before[0] != space.slug:
                connection.execute(_RETIRE_OTHERS, {"slug": space.slug})
                connection.execute(_ACTIVATE, {"slug": space.slug})
                connection.execute(sql.SQL(_RECOMPUTE_VECTORIZED_AT).format(table=vectors_table(space.slug)))

    def _register(self, connection: Connection, space: EmbeddingSpace) -> None:
        connection.execute(_REGISTER, {**vars(space), "slug": space.slug})
        connection.execute(
            sql.SQL(_CREATE_TABLE).format(
                table=vectors_table(space.slug),
                dimension=sql.Literal(space.dimension),
                partition_index=sql.Identifier(f"chunk_vectors_{space.slug}_part"),
            )
        )


def _weights_digest(connection: Connection, space: EmbeddingSpace) -> str | None:
    row = connection.execute(_WEIGHTS_DIGEST, (space.slug,)).fetchone()
    return row[0] if row else None
