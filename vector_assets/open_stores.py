"""The stores of the databases that the settings name."""

from __future__ import annotations

from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import URL

from .errors import DAGSTER_DATABASE_URL
from .settings import Settings
from .storage.dagster_storage import require_dagster_storage
from .storage.database import Database
from .storage.database_creation import ensure_database
from .storage.database_url import DAGSTER_DRIVER, parse_url, with_keepalives
from .storage.embedded_server import start_embedded_server
from .storage.migrate import TablesState, ensure_tables, migrate, tables_state
from .storage.retries import Retries
from .storage.sessions import checked_schema
from .stores import Stores

if TYPE_CHECKING:
    from .storage.partition_locks import PartitionLocks


class OpenStores(Stores):
    """Opens the product's database, and Dagster's beside it, when they are first asked for.

    Args:
        settings: which databases.
        retries: how long a database that was there is waited for, and what ends the wait.
        creates: whether a database or tables that are not there are made.
        read_only: whether the database refuses to write.
    """

    def __init__(
        self, settings: Settings, retries: Retries | None = None, creates: bool = True, read_only: bool = False
    ) -> None:
        self.settings = settings
        self.creates = creates
        self.read_only = read_only
        self.retries = retries or Retries()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the database connections back. The embedded server stops with the last process that uses it."""
        if "database" in self.__dict__:
            self.database.close()

    @cached_property
    def url(self) -> URL:
        """The product's database on a running server; it may not exist yet."""
        if self.settings.database_url is not None:
            return parse_url(self.settings.database_url.get_secret_value())
        return start_embedded_server(self.settings.home, self.creates)

    @cached_property
    def database(self) -> Database:
        """The product's database, its tables up to date."""
        schema = checked_schema(self.settings.database_schema)
        ensure_database(self.url, self.retries, self.creates)
        ensure_tables(self.url, self.retries, schema, self.creates)
        return Database(self.url, self.retries, reached=True, schema=schema, read_only=self.read_only)

    @cached_property
    def partition_locks(self) -> PartitionLocks:
        """Locks that give a partition to one run at a time."""
        from .storage.partition_locks import PartitionLocks

        return PartitionLocks(self.database, lease_seconds=self.settings.lease_seconds)

    def tables_state(self) -> TablesState:
        """Read of which version the database's tables are."""
        schema = checked_schema(self.settings.database_schema)
        ensure_database(self.url, self.retries, self.creates)
        return tables_state(self.url, self.retries, schema)

    def migrate(self) -> None:
        """Bring the tables to this version, also those of a shared database. Only a person decides that."""
        schema = checked_schema(self.settings.database_schema)
        ensure_database(self.url, self.retries)
        migrate(self.url, self.retries, schema)

    @cached_property
    def dagster_url(self) -> URL:
        """Dagster's database, in which its tables are or can be made; the driver is the one Dagster speaks.

        It is that of the settings, which must be there, or else one beside the product's, which is created.
        """
        given = self.settings.dagster_database_url
        if given is None:
            url = self.url.set(database=f"{self.url.database}_dagster")
        else:
            url = parse_url(given.get_secret_value(), DAGSTER_DATABASE_URL)
        url = with_keepalives(url).set(drivername=DAGSTER_DRIVER)
        ensure_database(url, self.retries, creates=given is None)
        require_dagster_storage(url, self.retries)
        return url
