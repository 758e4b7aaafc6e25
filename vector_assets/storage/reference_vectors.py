"""The vectors of a few fixed texts per embedding space, by which drift of an embedder is noticed."""

import numpy as np

from ..domain.spaces import StoredReferenceVectors, Vectors
from .database import Database, repeatable

# What the space has of a set of texts.
_KEPT = "SELECT vectors, device FROM reference_vectors WHERE space = %s AND texts = %s"
# Keep the vectors of a set of texts. Of two processes that begin at once, the first one's stay.
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
        """Read the vectors, float32 (texts, dimension); None: there are none yet."""
        with self._database.transaction() as connection:
            row = connection.execute(_KEPT, (space_slug, texts)).fetchone()
        if row is None:
            return None
        vectors = np.frombuffer(row[0], _NUMBERS).astype(np.float32).reshape(-1, dimension)
        return StoredReferenceVectors(vectors, row[1])

    @repeatable
    def keep(self, space_slug: str, texts: str, vectors: Vectors, device: str) -> None:
        """Keep the vectors, unless there are some already."""
        with self._database.transaction() as connection:
            connection.execute(_KEEP, (space_slug, texts, vectors.astype(_NUMBERS).tobytes(), device))
