"""What a run writes to Dagster's storage goes over connections that stay open."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage
from dagster_postgres.utils import create_pg_engine
from sqlalchemy import make_url

from ...storage.database_url import with_keepalives


@contextmanager
def kept_connections(instance: dg.DagsterInstance) -> Iterator[None]:
    """Meanwhile one connection for events and one for runs are kept, each seen to live before it is used.

    Dagster opens one for each statement, lest processes that hold an instance gather connections: 7 ms for an
    observation and 11 for a check's evaluation, of which this leaves 1.5. In its webserver it keeps them as well. A
    storage that is not on PostgreSQL stays as it is.
    """
    with ExitStack() as ends:
        for storage in (instance.event_log_storage, instance.run_storage):
            if isinstance(storage, PostgresEventLogStorage | PostgresRunStorage):
                ends.enter_context(_kept(storage))
        yield


@contextmanager
def _kept(storage: PostgresEventLogStorage | PostgresRunStorage) -> Iterator[None]:
    former = storage._engine
    # Whoever set the URL may not have thought of a network that goes silent, which is longer to notice when connected.
    url = with_keepalives(make_url(storage.postgres_url)).render_as_string(hide_password=False)
    kept = create_pg_engine(url, storage._token_provider, isolation_level="AUTOCOMMIT", pool_size=1, pool_pre_ping=True)
    storage._engine = kept
    try:
        yield
    finally:
        storage._engine = former
        kept.dispose()
