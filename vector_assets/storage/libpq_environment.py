"""Keeps libpq's environment variables, which are meant for other servers, from the embedded one."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

_OPTIONS = psycopg.pq.Conninfo.get_defaults()
# PostgreSQL's programs and the server read some that libpq's options do not list.
_VARIABLES = {option.envvar.decode() for option in _OPTIONS if option.envvar} | {
    "PGDATA",
    "PGDATESTYLE",
    "PGGEQO",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "PGTZ",
}
# Where libpq has no default and refuses an empty value. A service cannot be neutral (see `without_service`).
_VALUES = {"min_protocol_version": "3.0", "max_protocol_version": "latest", "sslcertmode": "allow"}
_environment = threading.RLock()


def neutral_arguments() -> dict[str, str]:
    """Give each option that a variable sets the value that it has without any variable."""
    options = {o.keyword.decode(): o for o in _OPTIONS if o.envvar and o.envvar.decode() in os.environ}
    options.pop("service", None)
    return {name: _VALUES.get(name) or (option.compiled or b"").decode() for name, option in options.items()}


def forget_libpq_variables() -> None:
    """Remove libpq's variables from the environment. Only for a process that is the product's own."""
    for name in _VARIABLES:
        os.environ.pop(name, None)


@contextmanager
def without_libpq_variables() -> Iterator[None]:
    """Hide all of them, while the embedded server's programs start."""
    with _hidden(_VARIABLES):
        yield


@contextmanager
def without_service() -> Iterator[None]:
    """Hide PGSERVICE: libpq fails where it does not know the service, and knows no name for none."""
    with _hidden({"PGSERVICE"}):
        yield


@contextmanager
def _hidden(names: set[str]) -> Iterator[None]:
    if not names & os.environ.keys():
        yield
        return
    with _environment:
        hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
        try:
            yield
        finally:
            os.environ.update(hidden)
