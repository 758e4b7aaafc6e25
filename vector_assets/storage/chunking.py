"""How this database chunks documents: one recipe, which only an explicit command replaces."""

from typing import LiteralString

from ..domain.chunking import ChunkingRecipe
from .database import Database, repeatable

_IDENTITY: LiteralString = "SELECT identity FROM chunking"
_RECIPE: LiteralString = "SELECT identity, tokenizer, max_tokens FROM chunking"
# Of two processes that begin at once, the first one's stays.
_REGISTER: LiteralString = """
INSERT INTO chunking (identity, tokenizer, max_tokens) VALUES (%(identity)s, %(tokenizer)s, %(max_tokens)s)
ON CONFLICT (only_row) DO NOTHING
"""
_REPLACE: LiteralString = """
INSERT INTO chunking (identity, tokenizer, max_tokens) VALUES (%(identity)s, %(tokenizer)s, %(max_tokens)s)
ON CONFLICT (only_row) DO UPDATE SET
    identity = excluded.identity, tokenizer = excluded.tokenizer, max_tokens = excluded.max_tokens, created_at = now()
"""


class StoredChunking:
    """Keeps the recipe. The tokenizer lies in the database, so that any process chunks new documents alike."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def identity(self) -> str | None:
        """Read which recipe the database has; None: none yet."""
        with self._database.transaction() as connection:
            row = connection.execute(_IDENTITY).fetchone()
        return row[0] if row else None

    @repeatable
    def registered(self, configured: ChunkingRecipe) -> ChunkingRecipe:
        """Give the recipe of the database. One that has none gets the configured one."""
        with self._database.transaction() as connection:
            connection.execute(_REGISTER, vars(configured))
            row = connection.execute(_RECIPE).fetchone()
        assert row is not None
        return ChunkingRecipe(*row)

    @repeatable
    def replace(self, recipe: ChunkingRecipe) -> None:
        """Let the database chunk by another recipe from now on. All its documents are to be chunked again then."""
        with self._database.transaction() as connection:
            connection.execute(_REPLACE, vars(recipe))
