"""A run that stands still at a point of its work until it is told to go on, or is killed.

python -m vector_assets_tests.faults.started_services URL HOME LANDING POINT NUMBER SERVER

It prints the point's name when it has come there for the NUMBERth time, and goes on after a line on its input; with
`any` it prints every point and stands at none. At the end it prints how the run ended.
"""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import make_url

from vector_assets.errors import VectorAssetsError
from vector_assets.storage.vectors import PostgresVectorStore

from ..embedding.remote.served_embedder import ServedEmbedder
from ..fakes import FakeServices, HashEmbedder
from .places import run

POINTS = ("embed", "between embed and commit", "before COMMIT", "event")


class Points:
    """Calls `reached` with the name of each point that the run comes to."""

    def __init__(self, reached: Callable[[str], None]) -> None:
        self._reached = reached
        self._committing = threading.local()
        self._wrap(PostgresVectorStore, "commit_batch", self._commit_batch)
        self._wrap(psycopg.Connection, "commit", self._commit)
        self._wrap(PostgresEventLogStorage, "store_event", self._store_event)

    def embed(self, _: list[str]) -> None:
        self._reached("embed")

    def _wrap(self, kind: type, name: str, wrapper: Callable[..., Any]) -> None:
        original = getattr(kind, name)
        setattr(kind, name, lambda *given: wrapper(original, *given))

    def _commit_batch(self, original: Callable[..., Any], *given: Any) -> Any:
        self._reached("between embed and commit")
        self._committing.now = True
        try:
            return original(*given)
        finally:
            self._committing.now = False

    def _commit(self, original: Callable[..., Any], connection: psycopg.Connection) -> None:
        """Its transaction has done all, and is open."""
        if getattr(self._committing, "now", False):
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
            self._reached("before COMMIT")
        original(connection)

    def _store_event(self, original: Callable[..., Any], storage: object, event: dg.EventLogEntry) -> None:
        if event.is_dagster_event and event.dagster_event_type == dg.DagsterEventType.ASSET_OBSERVATION:
            self._reached("event")
        original(storage, event)


def stop_at(point: str, number: int) -> Callable[[str], None]:
    """Stand there, once."""
    left = number

    def reached(name: str) -> None:
        nonlocal left
        left -= name == point
        if name == point and left == 0:
            tell(name)
            sys.stdin.readline()

    return reached


def tell(name: str) -> None:
    """A line for whoever waits."""
    print(name, flush=True)


def main(url: str, home: str, landing: str, point: str, number: str, server: str) -> None:
    """One run over the partition; a server that has an address embeds."""
    points = Points(tell if point == "any" else stop_at(point, int(number)))
    embedder = ServedEmbedder(server) if server else HashEmbedder()
    with FakeServices(make_url(url), Path(home), Path(landing), embedder) as services:
        services.embedder.before = points.embed
        try:
            tell(run(services).error or "ok")
        except VectorAssetsError as error:  # as the command line does
            tell(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
