"""What a run writes to Dagster's storage goes over connections that stay open."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import dagster as dg
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

from ...storage.database_url import with_keepalives

PostgresStorage = PostgresEventLogStorage | PostgresRunStorage

# PostgreSQL's word for none: a run waits for a statement as long as it would without open connections.
_NO_TIMEOUT = 0
_NEVER = -1
# Above the one that stays open, Dagster may ask for another while it uses that.
_MOST_MORE = 5


@contextmanager
def kept_connections(instance: dg.DagsterInstance) -> Iterator[None]:
    """Keep one connection for events and one for runs open meanwhile, each tested before it is used.

    Dagster opens a connection for each statement, lest processes that hold an instance gather connections: 7 ms for an
    observation and 11 for a check result, of which this leaves 1.5. Its own hook for the webserver keeps them. A
    storage that is not on PostgreSQL stays as it is.
    """
    with ExitStack() as stack:
        for storage in (instance.event_log_storage, instance.run_storage):
            if isinstance(storage, PostgresStorage):
                storage.optimize_for_webserver(_NO_TIMEOUT, _NEVER, _MOST_MORE)
                engine = engine_of(storage)
                event.listen(engine, "do_connect", partial(_notice_silence, engine))
                event.listen(engine, "checkout", partial(_test, engine))
                stack.callback(engine.dispose)
        yield


def engine_of(storage: PostgresStorage) -> Engine:
    """Give the engine that the storage uses from now on. Dagster has no public name for it."""
    return storage._engine


def _notice_silence(engine: Engine, dialect: object, record: object, given: object, settings: dict[str, Any]) -> None:
    """Connect such that a silent network is noticed: whoever wrote the URL may not have thought of that."""
    for name, value in with_keepalives(engine.url).query.items():
        settings.setdefault(name, value)


def _test(engine: Engine, connection: Any, record: object, proxy: object) -> None:
    """Have the pool open another connection where this one is lost: Dagster would lose the event with it."""
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error
