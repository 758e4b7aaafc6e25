"""Embedding spaces: one table of vectors each, and a status that only explicit commands change."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import LiteralString

from psycopg import sql
from psycopg.rows import TupleRow

from ..domain.spaces import LIVE, EmbeddingSpace, RegisteredSpace, SpaceOverview, SpaceStatus
from ..errors import AnotherSpaceFills, SpaceNotFound, SpaceNotLive, SpaceRetired, SpaceServes, WeightsChanged
from .database import Connection, Database, repeatable

# Locked while a space is registered or changes its status, so that two processes that start at once do it once.
_REGISTRATION_LOCK = "SELECT pg_advisory_xact_lock(hashtext('vector_assets: embedding spaces'))"

# Add a space, with the whole recipe of its vectors.
_REGISTER = """
INSERT INTO embedding_spaces (slug, model, revision, weights_digest, pooling, document_prompt, query_prompt,
                              dimension, max_tokens, generation, source, provider, request, status)
VALUES (%(slug)s, %(model)s, %(revision)s, %(weights_digest)s, %(pooling)s, %(document_prompt)s, %(query_prompt)s,
        %(dimension)s, %(max_tokens)s, %(generation)s, %(source)s, %(provider)s, %(request)s, %(status)s)
"""

_SPACES: LiteralString = """
SELECT status, created_at, served_until,
       model, revision, pooling, document_prompt, query_prompt, dimension, max_tokens, weights_digest, generation,
       source, provider, request
FROM embedding_spaces
"""
_ALL: LiteralString = _SPACES + " ORDER BY created_at, slug"
_ONE: LiteralString = _SPACES + " WHERE slug = %s"
_SERVING: LiteralString = _SPACES + " WHERE status = 'serving'"
_FILLING: LiteralString = _SPACES + " WHERE status = 'filling'"
# What each space holds and still has to embed.
_OVERVIEWS: LiteralString = """
SELECT s.slug, (SELECT coalesce(sum(chunks), 0)::bigint FROM chunk_counts),
       coalesce(q.pending, 0), coalesce(q.quarantined, 0),
       coalesce(pg_total_relation_size(to_regclass('chunk_vectors_' || s.slug)), 0)
FROM embedding_spaces s
LEFT JOIN (SELECT space, count(*) FILTER (WHERE next_attempt_at < 'infinity') AS pending,
                  count(*) FILTER (WHERE next_attempt_at = 'infinity') AS quarantined
           FROM pending_chunks GROUP BY space) q ON q.space = s.slug
"""
_IS_LIVE = "SELECT FROM embedding_spaces WHERE slug = %s AND status IN ('filling', 'serving')"

# How often a changed model has got a new space (see `EmbeddingSpace.generation`).
_NEWEST_GENERATION = """
SELECT max(generation) FROM embedding_spaces
WHERE (model, revision, pooling, document_prompt, query_prompt, dimension, provider, request)
    = (%(model)s, %(revision)s, %(pooling)s, %(document_prompt)s, %(query_prompt)s, %(dimension)s, %(provider)s,
       %(request)s)
"""

# The space's table of vectors; its triggers count its rows, and make chunks pending whose vectors are deleted.
_CREATE_TABLE: LiteralString = """
CREATE TABLE IF NOT EXISTS {table} (
    chunk_id        uuid PRIMARY KEY REFERENCES document_chunks ON DELETE CASCADE,
    market          text COLLATE "C" NOT NULL,
    doc_type        text COLLATE "C" NOT NULL,
    stock_code      text COLLATE "C" NOT NULL,
    content_hash    bytea NOT NULL,
    embedding       halfvec({dimension}) NOT NULL,
    token_count     integer NOT NULL,
    tokens_embedded integer NOT NULL,
    run_id          text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS {partition_index} ON {table} (market, doc_type, stock_code, run_id);
CREATE OR REPLACE TRIGGER inserted AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION chunk_vectors_inserted();
CREATE OR REPLACE TRIGGER updated AFTER UPDATE ON {table} FOR EACH ROW
    WHEN ((OLD.market, OLD.doc_type, OLD.stock_code, OLD.token_count, OLD.tokens_embedded)
          IS DISTINCT FROM (NEW.market, NEW.doc_type, NEW.stock_code, NEW.token_count, NEW.tokens_embedded))
    EXECUTE FUNCTION chunk_vectors_updated();
CREATE OR REPLACE TRIGGER deleted AFTER DELETE ON {table}
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION chunk_vectors_deleted();
CREATE OR REPLACE TRIGGER truncated AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION chunk_vectors_truncated();
-- Also where a session replays what another server has written.
ALTER TABLE {table} ENABLE ALWAYS TRIGGER inserted, ENABLE ALWAYS TRIGGER updated,
    ENABLE ALWAYS TRIGGER deleted, ENABLE ALWAYS TRIGGER truncated;
"""

# A text that a server has embedded is not sent again, so that it is looked for by its hash.
_INDEX_TEXTS: LiteralString = "CREATE INDEX IF NOT EXISTS {index} ON {table} (content_hash)"

# Whoever writes chunks is waited for, and waits until the space is registered or retired. Without this lock, the chunks
# of a transaction that began before and commits after it would be in no queue, or in that of a retired space.
_LOCK_CHUNKS = "LOCK TABLE document_chunks IN SHARE MODE"
# The same while a table of vectors is dropped, which locks the chunks that it refers to. They are locked first, as by
# whoever deletes chunks and with them their vectors.
_LOCK_CHUNKS_WHOLLY = "LOCK TABLE document_chunks IN ACCESS EXCLUSIVE MODE"
_QUEUE_MISSING: LiteralString = """
INSERT INTO pending_chunks (space, market, doc_type, stock_code, chunk_id, content_hash)
SELECT %(slug)s, c.market, c.doc_type, c.stock_code, c.id, c.content_hash
FROM document_chunks c
LEFT JOIN {table} v ON v.chunk_id = c.id AND v.content_hash = c.content_hash
      AND (v.market, v.doc_type, v.stock_code) = (c.market, c.doc_type, c.stock_code)
WHERE v.chunk_id IS NULL
ON CONFLICT DO NOTHING
"""

_SET_STATUS = "UPDATE embedding_spaces SET status = %(status)s WHERE slug = %(slug)s"
# The space that served until now is kept up to date, so that it can serve again at any moment. There are three
# statements, because the indexes of the one serving and of the one filling space never allow two of them.
_MAKE_WAY = "UPDATE embedding_spaces SET status = 'retired' WHERE slug = %(slug)s"
_STOP_SERVING = "UPDATE embedding_spaces SET status = 'filling', served_until = now() WHERE status = 'serving'"
_SERVE = "UPDATE embedding_spaces SET status = 'serving', served_until = NULL WHERE slug = %(slug)s"
_EMPTY_QUEUE = "DELETE FROM pending_chunks WHERE space = %(slug)s"
_DROP_TABLE: LiteralString = "DROP TABLE IF EXISTS {table}"
_FORGET_COUNTS = "DELETE FROM vector_counts WHERE space = %(slug)s"
_FORGET = "DELETE FROM embedding_spaces WHERE slug = %(slug)s"


def vectors_table(slug: str) -> sql.Identifier:
    """Name the table of a space's vectors, quoted."""
    assert re.fullmatch(r"[a-z0-9_]{1,40}", slug), slug
    return sql.Identifier(f"chunk_vectors_{slug}")


def is_live(connection: Connection, slug: str) -> bool:
    """Say whether the space is kept up to date: filling or serving."""
    return connection.execute(_IS_LIVE, (slug,)).fetchone() is not None


def status_of(connection: Connection, slug: str) -> SpaceStatus | None:
    """Read the status of a space; None: it is not registered."""
    found = _read(connection, _ONE, (slug,))
    return found.status if found else None


def require_live(connection: Connection, slug: str) -> None:
    """Refuse to store vectors in a space that is not kept up to date any more.

    Raises:
        SpaceNotLive: the space was retired or dropped.
    """
    found = _read(connection, _ONE, (slug,))
    if found is None:
        raise SpaceNotLive(slug)
    if found.status not in LIVE:
        raise SpaceNotLive(found.space.source, found.status)


class SpaceRegistry:
    """Knows which spaces there are and what they are for, and changes that."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def all(self) -> list[RegisteredSpace]:
        """List the spaces, the oldest first."""
        with self._database.transaction() as connection:
            return [_registered(row) for row in connection.execute(_ALL)]

    @repeatable
    def live(self) -> list[EmbeddingSpace]:
        """List the spaces that are kept up to date, the serving one first."""
        with self._database.transaction() as connection:
            found = [_registered(row) for row in connection.execute(_ALL)]
        live = [item for item in found if item.status in LIVE]
        return [item.space for item in sorted(live, key=lambda item: item.status is not SpaceStatus.SERVING)]

    @repeatable
    def overviews(self) -> list[SpaceOverview]:
        """List the spaces with what they hold, the oldest first."""
        with self._database.transaction() as connection:
            counts = {slug: row for slug, *row in connection.execute(_OVERVIEWS)}
            spaces = [_registered(row) for row in connection.execute(_ALL)]
        return [SpaceOverview(item, *counts[item.space.slug]) for item in spaces if item.space.slug in counts]

    @repeatable
    def serving(self) -> EmbeddingSpace | None:
        """Read the space that is searched; None before the first run."""
        with self._database.transaction() as connection:
            found = _read(connection, _SERVING)
        return found.space if found else None

    @repeatable
    def filling(self) -> EmbeddingSpace | None:
        """Read the space that is filled beside the serving one; None: there is none."""
        with self._database.transaction() as connection:
            found = _read(connection, _FILLING)
        return found.space if found else None

    @repeatable
    def newest(self, space: EmbeddingSpace) -> EmbeddingSpace:
        """Give the space its newest registered generation; unchanged if none is registered."""
        with self._database.transaction() as connection:
            row = connection.execute(_NEWEST_GENERATION, vars(space)).fetchone()
        return replace(space, generation=row[0]) if row and row[0] is not None else space

    @repeatable
    def status(self, space: EmbeddingSpace) -> SpaceStatus | None:
        """Read the status of a space; None: it is not registered.

        Raises:
            WeightsChanged: the space is known, but with other weights.
        """
        with self._database.transaction() as connection:
            return _status(connection, space)

    @repeatable
    def register_first(self, space: EmbeddingSpace) -> None:
        """Register a space as the serving one, if the database has none. All chunks become pending in it."""
        with self._database.transaction() as connection:
            connection.execute(_REGISTRATION_LOCK)
            if not connection.execute(_ALL).fetchall():
                _register(connection, space, SpaceStatus.SERVING)

    @repeatable
    def add(self, space: EmbeddingSpace) -> None:
        """Register a space as filling, or fill a retired one again. Chunks without a current vector become pending.

        Of a space that is live already, nothing changes.

        Raises:
            WeightsChanged: the space is known, but with other weights.
            AnotherSpaceFills: one at a time.
        """
        with self._database.transaction() as connection:
            connection.execute(_REGISTRATION_LOCK)
            status = _status(connection, space)
            if status in {SpaceStatus.FILLING, SpaceStatus.SERVING}:
                return
            if other := _read(connection, _FILLING):
                raise AnotherSpaceFills(other.space.slug, space.model)
            if status is None:
                _register(connection, space, SpaceStatus.FILLING)
            else:
                connection.execute(_LOCK_CHUNKS)
                connection.execute(_SET_STATUS, {"slug": space.slug, "status": SpaceStatus.FILLING})
                _queue_missing(connection, space.slug)

    @repeatable
    def promote(self, slug: str) -> None:
        """Let a filling space serve, and the serving one be filled, in one moment. The serving one stays as it is.

        Raises:
            SpaceNotFound: there is no such space.
            SpaceRetired: it is not kept up to date.
        """
        with self._database.transaction() as connection:
            found = _locked(connection, slug)
            if found.status is SpaceStatus.RETIRED:
                raise SpaceRetired(slug, found.space.source)
            if found.status is SpaceStatus.FILLING:
                for statement in (_MAKE_WAY, _STOP_SERVING, _SERVE):
                    connection.execute(statement, {"slug": slug})

    @repeatable
    def retire(self, slug: str) -> None:
        """Keep a filling space as it is: its vectors stay, new chunks do not reach it any more. Writers are waited for.

        Raises:
            SpaceNotFound: there is no such space.
            SpaceServes: it is searched.
        """
        with self._database.transaction() as connection:
            if _locked(connection, slug).status is SpaceStatus.SERVING:
                raise SpaceServes(slug)
            connection.execute(_LOCK_CHUNKS)
            connection.execute(_SET_STATUS, {"slug": slug, "status": SpaceStatus.RETIRED})
            connection.execute(_EMPTY_QUEUE, {"slug": slug})

    @repeatable
    def drop(self, slug: str) -> None:
        """Delete a space that does not serve, with its vectors. Searches and writers of chunks are waited for.

        Raises:
            SpaceNotFound: there is no such space.
            SpaceServes: it is searched.
        """
        with self._database.transaction() as connection:
            if _locked(connection, slug).status is SpaceStatus.SERVING:
                raise SpaceServes(slug)
            connection.execute(_LOCK_CHUNKS_WHOLLY)
            connection.execute(_EMPTY_QUEUE, {"slug": slug})
            connection.execute(sql.SQL(_DROP_TABLE).format(table=vectors_table(slug)))
            connection.execute(_FORGET_COUNTS, {"slug": slug})
            connection.execute(_FORGET, {"slug": slug})


def _read(connection: Connection, query: LiteralString, parameters: Sequence[object] = ()) -> RegisteredSpace | None:
    row = connection.execute(query, parameters).fetchone()
    return _registered(row) if row else None


def _registered(row: TupleRow) -> RegisteredSpace:
    status, created_at, served_until, *recipe = row
    return RegisteredSpace(SpaceStatus(status), created_at, served_until, EmbeddingSpace(*recipe))


def _locked(connection: Connection, slug: str) -> RegisteredSpace:
    connection.execute(_REGISTRATION_LOCK)
    found = _read(connection, _ONE, (slug,))
    if found is None:
        raise SpaceNotFound(slug, [_registered(row).space.slug for row in connection.execute(_ALL)])
    return found


def _status(connection: Connection, space: EmbeddingSpace) -> SpaceStatus | None:
    found = _read(connection, _ONE, (space.slug,))
    if found is None:
        return None
    if found.space.weights_digest != space.weights_digest:
        raise WeightsChanged(space.model, found.space.weights_digest, space.weights_digest)
    return found.status


def _register(connection: Connection, space: EmbeddingSpace, status: SpaceStatus) -> None:
    connection.execute(_LOCK_CHUNKS)
    connection.execute(_REGISTER, {**vars(space), "slug": space.slug, "status": status})
    connection.execute(
        sql.SQL(_CREATE_TABLE).format(
            table=vectors_table(space.slug),
            dimension=sql.Literal(space.dimension),
            partition_index=sql.Identifier(f"chunk_vectors_{space.slug}_part"),
        )
    )
    if space.provider:
        index = sql.Identifier(f"chunk_vectors_{space.slug}_texts")
        connection.execute(sql.SQL(_INDEX_TEXTS).format(index=index, table=vectors_table(space.slug)))
    _queue_missing(connection, space.slug)


def _queue_missing(connection: Connection, slug: str) -> None:
    connection.execute(sql.SQL(_QUEUE_MISSING).format(table=vectors_table(slug)), {"slug": slug})
