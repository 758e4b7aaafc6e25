"""The vectors that two spaces have of the same texts."""

from collections.abc import Iterator, Mapping
from typing import LiteralString

import numpy as np
from psycopg import sql

from ..domain.chunks import BEFORE_ALL_CHUNKS
from ..quality.neighbor_overlap import PairedVectors
from .binary_arrays import halfvecs
from .database import Database, repeatable
from .spaces import vectors_table

_BOTH: LiteralString = "{one} a JOIN {other} b ON (b.chunk_id, b.content_hash) = (a.chunk_id, a.content_hash)"
# The ids are drawn first, so that only the drawn vectors are read.
_SAMPLE: LiteralString = f"""
SELECT c.id, halfvec_send(a.embedding), halfvec_send(b.embedding), c.text
FROM (SELECT a.chunk_id FROM {_BOTH} ORDER BY uuid_hash_extended(a.chunk_id, 0) LIMIT %(limit)s) drawn
JOIN {{one}} a USING (chunk_id) JOIN {{other}} b USING (chunk_id) JOIN document_chunks c ON c.id = chunk_id
ORDER BY c.id
"""
_WINDOW: LiteralString = f"""
SELECT a.chunk_id, halfvec_send(a.embedding), halfvec_send(b.embedding)
FROM {_BOTH} WHERE a.chunk_id > %(after)s ORDER BY a.chunk_id LIMIT %(limit)s
"""
# Chunks read at a time: some 13 MB for two spaces of 384 dimensions.
_WINDOW_CHUNKS = 4096


class PostgresSpacePairs:
    """The `SpacePairs` port. No transaction stays open between two windows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sample(self, one: str, other: str, limit: int) -> PairedVectors:
        """Draw chunks of both spaces, the same ones each time, with their texts."""
        return self._read(_SAMPLE, one, other, {"limit": limit})

    def windows(self, one: str, other: str) -> Iterator[PairedVectors]:
        """Read all chunks of both spaces, by id."""
        limits: dict[str, object] = {"after": BEFORE_ALL_CHUNKS, "limit": _WINDOW_CHUNKS}
        while (window := self._read(_WINDOW, one, other, limits)).ids:
            yield window
            limits["after"] = window.ids[-1]

    @repeatable
    def _read(self, query: LiteralString, one: str, other: str, parameters: Mapping[str, object]) -> PairedVectors:
        statement = sql.SQL(query).format(one=vectors_table(one), other=vectors_table(other))
        with self._database.transaction() as connection, connection.cursor(binary=True) as cursor:
            rows = cursor.execute(statement, parameters).fetchall()
        if not rows:
            nothing = np.empty((0, 0), np.float32)
            return PairedVectors((), nothing, nothing)
        ids, ones, others, *texts = zip(*rows, strict=True)
        return PairedVectors(ids, halfvecs(ones), halfvecs(others), *texts)
