"""Databases as a fixture left them once, from which each later test of that fixture begins."""

from sqlalchemy import URL

from .storage.servers import connect, create_copy

_END_SESSIONS = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"


class Snapshots:
    """Copies of test databases, each with Dagster's storage beside it. To copy takes a tenth of the work copied."""

    def __init__(self) -> None:
        self._kept: set[str] = set()

    def restore(self, name: str, url: URL) -> bool:
        """Replace the database by the snapshot. Return whether there is one."""
        if name in self._kept:
            for suffix in ("", "_dagster"):
                with connect(url.set(database="postgres")) as connection:
                    connection.execute(f"DROP DATABASE {url.database}{suffix} WITH (FORCE)")
                    create_copy(connection, f"{url.database}{suffix}", _snapshot(name, suffix))
        return name in self._kept

    def keep(self, name: str, url: URL) -> None:
        """Make a snapshot of the database."""
        for suffix in ("", "_dagster"):
            with connect(url.set(database="postgres")) as connection:
                connection.execute(_END_SESSIONS, [f"{url.database}{suffix}"])
                create_copy(connection, _snapshot(name, suffix), f"{url.database}{suffix}")
        self._kept.add(name)


def _snapshot(name: str, suffix: str) -> str:
    return f"snapshot_{name}{suffix}"
