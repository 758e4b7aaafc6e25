"""The one place at which errors of the database drivers become the product's errors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolTimeout
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from ..errors import DatabaseError, DatabaseFailed, DatabaseFull, DatabaseUnreachable
from .database_url import printable_url, setting_of

# What may succeed as soon as other sessions are done: serialization, deadlock, lock timeout, a statement canceled by a
# time limit or by hand, no connection left. A full disk (53100) is not among them: nobody frees it meanwhile, and
# every further attempt writes more.
_TRANSIENT = {"40001", "40P01", "55P03", "57014", "53300"}
# Connection lost (08), the server or an administrator ended it (57P), or it was idle for too long (25P03).
_CONNECTION_LOST = ("08", "57P", "25P03")
# A server that refuses a role sends a sentence and, to those who connect, no code. In a server that speaks another
# language than English a refusal is taken for a server that cannot be reached; the message is still the server's own.
_REFUSAL = re.compile(r"authentication failed|does not exist|permission denied|no pg_hba\.conf entry|not permitted")


@contextmanager
def translated_errors(url: URL) -> Iterator[None]:
    """Translate driver errors that are raised inside into the error family.

    Raises:
        DatabaseUnreachable: no connection could be made, or it broke.
        DatabaseFull: the server's disk is full.
        DatabaseFailed: the server refused a statement, or no connection of the pool became free.
    """
    try:
        yield
    except DBAPIError as error:  # Alembic works through SQLAlchemy
        raise _translated(url, error.orig) from error
    except psycopg.Error as error:
        raise _translated(url, error) from error


def is_refusal(error: psycopg.Error) -> bool:
    """Say whether the server answered and does not let this role in; waiting would not help."""
    return bool(_REFUSAL.search(str(error)))


def _translated(url: URL, error: BaseException | None) -> DatabaseError:
    reason = " ".join(str(error).split()).rstrip(".")
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(error, PoolTimeout):
        return DatabaseFailed(reason, sqlstate, passes=True)
    # libpq reports failures to connect, and connections that broke, without a code.
    if sqlstate is None and isinstance(error, psycopg.OperationalError):
        return DatabaseUnreachable(printable_url(url), reason, is_refusal(error), setting_of(url))
    if sqlstate is not None and sqlstate.startswith(_CONNECTION_LOST):
        return DatabaseUnreachable(printable_url(url), reason, setting=setting_of(url))
    if sqlstate == "53100":
        return DatabaseFull(reason)
    return DatabaseFailed(reason, sqlstate, passes=sqlstate in _TRANSIENT)
