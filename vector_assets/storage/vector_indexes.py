"""The indexes of the spaces: which there are, and which one searches read."""

from typing import LiteralString

from psycopg import sql
from psycopg.errors import UndefinedTable

from ..errors import SpaceNotFound
from ..vector_index.decision import IndexState, VectorIndex
from .database import Database, repeatable
from .spaces import vectors_table

# An index by its name, which has its generation; and what was recorded when it was built and checked.
_INDEXES: LiteralString = """
SELECT n.generation, i.indisvalid, pg_relation_size(i.indexrelid), x.ef_search, x.recall, x.checked_at,
       x.built_vectors, x.built_bytes, x.build_seconds
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
CROSS JOIN LATERAL (SELECT substring(c.relname FROM '_hnsw_([1-9][0-9]*)$')::integer AS generation) n
LEFT JOIN vector_indexes x ON x.space = %(space)s AND x.generation = n.generation
WHERE i.indrelid = {table}::regclass AND n.generation IS NOT NULL
ORDER BY n.generation
"""
_COUNTS = """
SELECT (SELECT coalesce(sum(vectors), 0)::bigint FROM vector_counts WHERE space = %(space)s),
       (SELECT count(*) FROM pending_chunks WHERE space = %(space)s),
       (SELECT extversion FROM pg_extension WHERE extname = 'vector')
"""
_RECORD = """
INSERT INTO vector_indexes (space, generation, built_vectors, built_bytes, build_seconds)
VALUES (%(space)s, %(generation)s, %(vectors)s, %(bytes)s, %(seconds)s)
ON CONFLICT (space, generation) DO UPDATE SET
    (built_at, built_vectors, built_bytes, build_seconds, ef_search, recall, checked_at)
    = (now(), excluded.built_vectors, excluded.built_bytes, excluded.build_seconds, NULL, NULL, NULL)
"""
_BYTES: LiteralString = "SELECT pg_relation_size({index}::regclass)"
_STOP_USING = "UPDATE vector_indexes SET ef_search = NULL WHERE space = %(space)s AND ef_search IS NOT NULL"
_USE = """
INSERT INTO vector_indexes (space, generation, built_vectors, built_bytes, build_seconds, ef_search, from_vectors,
                            recall, checked_at)
VALUES (%(space)s, %(generation)s, 0, 0, 0, %(ef_search)s, %(from_vectors)s, %(recall)s, now())
ON CONFLICT (space, generation) DO UPDATE SET
    (ef_search, from_vectors, recall, checked_at)
    = (excluded.ef_search, excluded.from_vectors, excluded.recall, excluded.checked_at)
"""
_FORGET = "DELETE FROM vector_indexes WHERE space = %(space)s AND generation = %(generation)s"


def index_name(slug: str, generation: int) -> str:
    """Name an index. PostgreSQL truncates names to 63 bytes, of which these take at most 60 and the generation."""
    return f"chunk_vectors_{slug}_hnsw_{generation}"


class VectorIndexes:
    """The `IndexCatalog` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def state(self, slug: str) -> IndexState:
        """Count the vectors of a space, and list its indexes.

        Raises:
            SpaceNotFound: there is no such space.
        """
        indexes = sql.SQL(_INDEXES).format(table=sql.Literal(vectors_table(slug).as_string(None)))
        with self._database.transaction() as connection:
            try:
                found = [VectorIndex(*row) for row in connection.execute(indexes, {"space": slug})]
            except UndefinedTable:
                raise SpaceNotFound(slug) from None
            counted = connection.execute(_COUNTS, {"space": slug}).fetchone()
        assert counted is not None
        vectors, pending, pgvector = counted
        return IndexState(vectors, pending, pgvector, tuple(found))

    @repeatable
    def use(self, slug: str, generation: int, ef_search: int, from_vectors: int, recall: float) -> None:
        """Let searches of so many vectors or more read this index from now on, and no other of the space."""
        values = {
            "space": slug,
            "generation": generation,
            "ef_search": ef_search,
            "from_vectors": from_vectors,
            "recall": recall,
        }
        with self._database.transaction() as connection:
            connection.execute(_STOP_USING, values)
            connection.execute(_USE, values)

    @repeatable
    def stop_using(self, slug: str) -> None:
        """Let searches compare with every vector from now on."""
        with self._database.transaction() as connection:
            connection.execute(_STOP_USING, {"space": slug})

    @repeatable
    def record_build(self, slug: str, generation: int, vectors: int, seconds: float) -> None:
        """Record what a build has made. Searches do not read the index yet."""
        size = sql.SQL(_BYTES).format(index=sql.Literal(index_name(slug, generation)))
        with self._database.transaction() as connection:
            (size_bytes,) = connection.execute(size).fetchone() or (0,)
            connection.execute(
                _RECORD,
                {
                    "space": slug,
                    "generation": generation,
                    "vectors": vectors,
                    "bytes": size_bytes,
                    "seconds": seconds,
                },
            )

    @repeatable
    def forget(self, slug: str, generation: int) -> None:
        """Forget an index that is about to be dropped: no search begins to read it."""
        with self._database.transaction() as connection:
            connection.execute(_FORGET, {"space": slug, "generation": generation})
