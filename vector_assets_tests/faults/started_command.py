"""A command of `vector-assets` that stands still at a point of its work until it is told to go on, or is killed.

It prints POINT when it has come there, and goes on after a line on its input. POINT is the beginning of a statement,
which is then done in an open transaction, or `after COMMIT` of what changed the spaces; with `none` it stands nowhere.
The database is that of the settings; the models take no time.
"""

import re
import sys
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from vector_assets.cli import main as command_line
from vector_assets.services import Services

from ..fakes import SPACE, HashEmbedder

AFTER_COMMIT = "after COMMIT"
# Of another dimension, so that a vector in the wrong table is seen.
OTHER = replace(SPACE, model="other", dimension=12, source="org/other")
_MODELS = {space.source: HashEmbedder(space) for space in (SPACE, OTHER)}
_CHANGE = re.compile("(INSERT INTO|UPDATE|DELETE FROM) embedding_spaces")


class Point:
    """Stands there, once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changes = False
        self._execute, self._commit = psycopg.Connection.execute, psycopg.Connection.commit
        psycopg.Connection.execute = lambda *given, **options: self.execute(*given, **options)
        psycopg.Connection.commit = lambda connection: self.commit(connection)

    def execute(self, connection: psycopg.Connection, query: Any, *given: Any, **options: Any) -> Any:
        cursor = self._execute(connection, query, *given, **options)
        text = (query.as_string(connection) if isinstance(query, sql.Composable) else query).strip()
        self._changes = self._changes or _CHANGE.match(text) is not None
        if text.startswith(self._name):
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
            self._stand()
        return cursor

    def commit(self, connection: psycopg.Connection) -> None:
        self._commit(connection)
        if self._changes and self._name == AFTER_COMMIT:
            self._stand()

    def _stand(self) -> None:
        print(self._name, flush=True)
        sys.stdin.readline()
        self._name = "none"


def main(point: str, *arguments: str) -> None:
    """The command."""
    Services._embedder = lambda _, model, *prompts: _MODELS[model]  # type: ignore[method-assign]
    Point(point)
    command_line(arguments)
