"""Database URLs: read, completed with the product's defaults, and printed without their password."""

from typing import Any

import psycopg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..errors import InvalidSetting

CONNECT_TIMEOUT_SECONDS = 10

# Unless the URL says otherwise. A peer that has gone silent is noticed within a minute; the operating system would take
# a quarter of an hour for what was sent, and two hours for what is waited for. Unix sockets ignore these values.
CONNECTION_DEFAULTS = {
    "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "application_name": "vector_assets",
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 5,
    "tcp_user_timeout": 45_000,
}

_DRIVERS = {"postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"}
_PARAMETERS = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
"""What libpq accepts after the question mark."""


def parse_url(text: str) -> URL:
    """Read a PostgreSQL URL, whatever driver it names; the product's driver (psycopg 3) replaces it.

    Raises:
        InvalidSetting: it is no PostgreSQL URL, names no database, or has parameters that libpq does not know.
    """
    name = "VECTOR_ASSETS_DATABASE_URL"
    form = "Write it as postgresql://user:password@host:5432/database."
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InvalidSetting(name, "not a URL", form) from None
    if url.drivername not in _DRIVERS:
        raise InvalidSetting(name, f"{url.drivername!r} is not PostgreSQL", form)
    if not url.database:
        raise InvalidSetting(name, "no database is named", form)
    if unknown := sorted(url.query.keys() - _PARAMETERS):
        fix = "Remove it; libpq's parameters, e.g. sslmode or host, may be given."
        raise InvalidSetting(name, f"PostgreSQL has no parameter {', '.join(unknown)}", fix)
    return url.set(drivername="postgresql+psycopg")


def printable_url(url: URL) -> str:
    """Write the URL without any password, for people to read: asterisks replace a password that is given."""
    query = {name: value for name, value in url.query.items() if name != "password"}
    password = url.password or None  # an empty one, as in user:@host, is none
    printable = URL.create("postgresql", url.username, password, url.host, url.port, url.database, query)
    return printable.render_as_string(hide_password=True)


def with_keepalives(url: URL) -> URL:
    """Add the defaults that let another program notice a silent server as soon as this one does."""
    defaults = {name: str(value) for name, value in _missing_defaults(url).items() if name != "application_name"}
    return url.update_query_dict(defaults)


def connection_arguments(url: URL) -> dict[str, Any]:
    """Give what psycopg needs to connect: the URL's own values, and defaults for those it lacks."""
    # Not as a string: SQLAlchemy writes a blank in a parameter as "+", which libpq leaves as it is.
    _, arguments = url.get_dialect()().create_connect_args(url)
    return {**_missing_defaults(url), **arguments}


def _missing_defaults(url: URL) -> dict[str, Any]:
    return {name: value for name, value in CONNECTION_DEFAULTS.items() if name not in url.query}
