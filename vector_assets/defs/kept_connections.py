"""What a run writes to Dagster's storage goes over connections that stay open."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage
from dagster_postgres.utils import create_pg_engine


@contextmanager
def kept_connections(instance: dg.DagsterInstance) -> Iterator[None]:
    """Meanwhile one connection for events and one for runs are kept, each seen to live before it is used.

    Dagster opens one for each statement, lest processes that hold an instance gather connections: 7 ms for an
    observation and 11 for a check's evaluation, of which this leaves 1.5. In its webserver it keeps them as well. A
    storage that is not on PostgreSQL stays as it is.
    """
    storages = [
        storage
        for storage in (instance.event_log_storage, instance.run_storage)
        if isinstance(storage, PostgresEventLogStorage | PostgresRunStorage)
    ]
    former = [storage._engine for storage in storages]
    for storage in storages:
        storage._engine = create_pg_engine(
            storage.postgres_url,
            storage._token_provider,
            isolation_level="AUTOCOMMIT",
            pool_size=1,
            pool_pre_ping=True,
        )
    try:
        yield
    finally:
        for storage, engine in zip(storages, former, strict=True):
            storage._engine.dispose()
            storage._engine = engine
