"""The vectors of a few fixed texts, kept per embedding space to tell by them whether an embedder has changed."""

import numpy as np

from ..domain.spaces import StoredReferenceVectors, Vectors
from .database import Database, repeatable

_KEPT = "SELECT vectors, device FROM reference_vectors WHERE space = %s AND texts = %s"
# Of two processes that begin at once, the first one's stay.
_KEEP = """
INSERT INTO reference_vectors (space, texts, vectors, device) VALUES (%s, %s, %s, %s)
ON CONFLICT (space, texts) DO NOTHING
"""
_NUMBERS = np.dtype("<f4")


class PostgresReferenceVectorStore:
    """The `ReferenceVectorStore` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def kept(self, space_slug: str, texts: str, dimension: int) -> StoredReferenceVectors | None:
        """Float32 (texts, dimension); None: none yet."""
        with self._database.transaction() as connection:
            row = connection.execute(_KEPT, (space_slug, texts)).fetchone()
        if row is None:
            return None
        vectors = np.frombuffer(row[0], _NUMBERS).astype(np.float32).reshape(-1, dimension)
        return StoredReferenceVectors(vectors, row[1])

    @repeatable
    def keep(self, space_slug: str, texts: str, vectors: Vectors, device: str) -> None:
        """Unless there are some already."""
        with self._database.transaction() as connection:
            connection.execute(_KEEP, (space_slug, texts, vectors.astype(_NUMBERS).tobytes(), device))
