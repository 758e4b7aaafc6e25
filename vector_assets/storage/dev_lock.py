"""One `vector-assets dev` at a time on one storage of Dagster: two daemons would run each sensor twice."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL

from ..errors import DevRunsAlready
from .connections import open_connection
from .driver_errors import translated_errors
from .retries import Retries

_NAME = "vector-assets dev"
# No limit of an administrator may end the idle session that holds the lock.
_UNLIMITED = "SELECT set_config('idle_session_timeout', '0', false)"
_TRY = "SELECT pg_try_advisory_lock(hashtextextended('vector_assets: dev', 0))"
_HOLDER = """
SELECT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE %s AND pid <> pg_backend_pid()
"""


@contextmanager
def dev_lock(dagster_url: URL, retries: Retries | None = None) -> Iterator[None]:
    """Hold Dagster's storage for the `dev` of this process; the server releases it when the process ends.

    Raises:
        DevRunsAlready: another one holds it.
    """
    name = f"{_NAME}, process {os.getpid()} on {socket.gethostname()}"
    with translated_errors(dagster_url):
        connection = open_connection(dagster_url, retries, application_name=name)
    with connection:
        with translated_errors(dagster_url):
            connection.execute(_UNLIMITED)
            if connection.execute(_TRY).fetchone() != (True,):
                row = connection.execute(_HOLDER, (f"{_NAME}, %",)).fetchone()
                raise DevRunsAlready(str(row[0]).removeprefix(f"{_NAME}, ") if row else "elsewhere")
        yield
