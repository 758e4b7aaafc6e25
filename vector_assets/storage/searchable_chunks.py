"""What search asks of chunks besides vectors and terms: the names in filters, coverage, and the text around a hit."""

from typing import LiteralString
from uuid import UUID

from psycopg import sql
from psycopg.errors import UndefinedTable

from ..domain.partition_keys import PartitionKey
from ..domain.search import ChunkFilter, Passage, SearchCoverage
from ..errors import SpaceNotFound
from .database import Database, repeatable
from .search_filters import filter_parameters, in_partitions, of_documents
from .spaces import is_live, vectors_table

_PARTITIONS: LiteralString = """
SELECT market, doc_type, stock_code, sum(chunks)::bigint
FROM chunk_counts GROUP BY 1, 2, 3 HAVING sum(chunks) > 0
"""
_PERIODS_AND_LANGUAGES: LiteralString = "SELECT DISTINCT period, language FROM documents"

# Whole partitions have been counted by triggers, and a live space has a queue of what has no current vector.
_COUNTED: LiteralString = """
SELECT (SELECT coalesce(sum(c.chunks), 0)::bigint FROM chunk_counts c WHERE {in_counts}),
       (SELECT count(*) FROM pending_chunks p WHERE p.space = %(space)s AND {in_queue})
"""
_WITHOUT_VECTOR: LiteralString = """
SELECT count(*), count(*) - count(v.chunk_id)
FROM document_chunks c
JOIN documents d ON d.id = c.document_id
LEFT JOIN {table} v ON v.chunk_id = c.id AND v.content_hash = c.content_hash
WHERE {in_partitions} AND {of_documents}
"""

# A chunk's own text begins with a line of context, so that neighbors are read from the document, from the first to the
# last of them. Of another program's chunks it may not be known where they stand.
_PASSAGE: LiteralString = """
WITH hit AS (
    SELECT document_id, chunk_index FROM document_chunks WHERE id = %(chunk_id)s
), near AS (
    SELECT document_id, min(c.chunk_index) AS chunk_from, max(c.chunk_index) AS chunk_to,
           min(page_from) AS page_from, max(page_to) AS page_to, min(char_from) AS char_from, max(char_to) AS char_to,
           count(char_from) = count(*) AND count(char_to) = count(*) AS placed,
           string_agg(c.text, E'\\n\\n' ORDER BY c.chunk_index) AS texts
    FROM document_chunks c JOIN hit USING (document_id)
    WHERE c.chunk_index BETWEEN hit.chunk_index - %(around)s AND hit.chunk_index::bigint + %(around)s
    GROUP BY document_id
)
SELECT d.market, d.doc_type, d.stock_code, d.source_uri, d.company_name, d.title, d.period, d.language,
       n.chunk_from, n.chunk_to, n.page_from, n.page_to,
       CASE WHEN n.placed THEN substr(d.text, n.char_from + 1, n.char_to - n.char_from) ELSE n.texts END
FROM near n JOIN documents d ON d.id = n.document_id
"""


class SearchableChunks:
    """Reads them from documents, chunks and the counts of both."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def partitions(self) -> dict[PartitionKey, int]:
        """Count the chunks of each partition that has any."""
        with self._database.transaction() as connection:
            return {PartitionKey(*names): chunks for *names, chunks in connection.execute(_PARTITIONS)}

    @repeatable
    def periods_and_languages(self) -> set[tuple[str, str]]:
        """List which periods and languages documents have, together."""
        with self._database.transaction() as connection:
            return {(period, language) for period, language in connection.execute(_PERIODS_AND_LANGUAGES)}

    @repeatable
    def coverage(self, space_slug: str, where: ChunkFilter) -> SearchCoverage:
        """Count the chunks that the filter names, and those of them that have a current vector in the space.

        Raises:
            SpaceNotFound: the space was dropped.
        """
        with self._database.transaction() as connection:
            is_counted = of_documents(where) == "true" and is_live(connection, space_slug)
            query = _counted(where) if is_counted else _without_vector(space_slug, where)
            try:
                row = connection.execute(query, {"space": space_slug, **filter_parameters(where)}).fetchone()
            except UndefinedTable:
                raise SpaceNotFound(space_slug) from None
        chunks, missing = row or (0, 0)
        return SearchCoverage(chunks, max(chunks - missing, 0))

    @repeatable
    def passage(self, chunk_id: UUID, around: int) -> Passage | None:
        """Read a chunk with so many of its document's chunks before and after it; None: there is no such chunk."""
        with self._database.transaction() as connection:
            row = connection.execute(_PASSAGE, {"chunk_id": chunk_id, "around": around}).fetchone()
        return Passage(PartitionKey(*row[:3]), *row[3:]) if row else None


def _counted(where: ChunkFilter) -> sql.Composed:
    in_counts, in_queue = (sql.SQL(in_partitions(where, table)) for table in ("c", "p"))
    return sql.SQL(_COUNTED).format(in_counts=in_counts, in_queue=in_queue)


def _without_vector(space_slug: str, where: ChunkFilter) -> sql.Composed:
    return sql.SQL(_WITHOUT_VECTOR).format(
        table=vectors_table(space_slug),
        in_partitions=sql.SQL(in_partitions(where, "c")),
        of_documents=sql.SQL(of_documents(where)),
    )
