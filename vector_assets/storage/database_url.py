"""Database URLs: read, completed with the product's defaults, and printed without their password."""

import re
from typing import Any
from urllib.parse import unquote

import psycopg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..errors import DAGSTER_DATABASE_URL, DATABASE_URL, InvalidSetting
from .libpq_environment import neutral_arguments

CONNECT_TIMEOUT_SECONDS = 10

# Unless the URL says otherwise. A peer that has gone silent is noticed within a minute; the operating system would take
# a quarter of an hour for what was sent, and two hours for what is waited for. Unix sockets ignore these values.
CONNECTION_DEFAULTS = {
    "client_encoding": "UTF8",
    "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "application_name": "vector_assets",
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 5,
    "tcp_user_timeout": 45_000,
}

# A parameter that the embedded server's URL has, and that changes nothing: application_name is always given.
EMBEDDED_MARK = {"fallback_application_name": "vector_assets_embedded_server"}
DAGSTER_DRIVER = "postgresql+psycopg2"

_SCHEMES = {"postgres", "postgresql"}
# Nobody names a database so, but a slash, a quote or a blank is easily copied along with a URL.
_UNLIKELY = re.compile(r"[\s/'\"\x00-\x1f]")
_PARAMETERS = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
"""What libpq accepts after the question mark."""


def parse_url(text: str, setting: str = DATABASE_URL) -> URL:
    """Read a PostgreSQL URL, whatever driver it names; the product's driver (psycopg 3) replaces it.

    Raises:
        InvalidSetting: it is no PostgreSQL URL, names no database, or has parameters that libpq does not know.
    """
    form = "Write it as postgresql://user:password@host:5432/database."
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise InvalidSetting(setting, "not a URL", form) from None
    if url.drivername.lower().partition("+")[0] not in _SCHEMES:
        raise InvalidSetting(setting, f"{url.drivername!r} is not PostgreSQL", form)
    database = (url.database or "").removesuffix("/")
    if not database:
        raise InvalidSetting(setting, "no database is named", form)
    url = _with_plain_host(url)
    if "@" in (url.host or ""):
        # The message must not repeat it: it is the end of the password.
        raise InvalidSetting(setting, "there are two @", "Write an @ in the password as %40.")
    if _UNLIKELY.search(database + (url.host or "")):
        raise InvalidSetting(setting, "the name of the host or of the database has a blank, a quote or a slash", form)
    _check_parameters(url, setting)
    # The product's sessions are in UTF-8, whatever other programs want.
    url = url.difference_update_query(["client_encoding"])
    return url.set(drivername="postgresql+psycopg", database=database)


def _with_plain_host(url: URL) -> URL:
    """Decode the host, which libpq takes with percent signs and SQLAlchemy leaves as it is: a socket, or a zone."""
    host = unquote(url.host or "")
    if not host.startswith("/"):
        return url.set(host=host or None)
    # URL.set cannot set it to nothing.
    query = {"host": host, **url.query}
    return URL.create(url.drivername, url.username, url.password, None, url.port, url.database, query)


def _check_parameters(url: URL, setting: str) -> None:
    fix = "Remove it; libpq's parameters, e.g. sslmode or host, may be given."
    if unknown := sorted(url.query.keys() - _PARAMETERS):
        raise InvalidSetting(setting, f"PostgreSQL has no parameter {', '.join(unknown)}", fix)
    for name, value in url.query.items():
        if name == "dbname":
            raise InvalidSetting(setting, "a parameter names another database", fix)
        if isinstance(value, tuple) and name not in {"host", "port"}:
            raise InvalidSetting(setting, f"the parameter {name} is given twice", fix)
    ports = url.query.get("port", ())
    for port in (ports,) if isinstance(ports, str) else ports:
        if not re.fullmatch(r"[0-9,]*", port):
            raise InvalidSetting(setting, "a port is no number", fix)


def is_embedded(url: URL) -> bool:
    """Return whether the URL leads to the embedded server, whatever process gave it."""
    return EMBEDDED_MARK.items() <= url.query.items()


def setting_of(url: URL) -> str | None:
    """Name the setting that the URL comes from; None for the embedded server. Dagster's URL has Dagster's driver."""
    if is_embedded(url):
        return None
    return DAGSTER_DATABASE_URL if url.drivername == DAGSTER_DRIVER else DATABASE_URL


def printable_url(url: URL) -> str:
    """Write the URL without any password, for people to read: asterisks replace a password that is given."""
    query = {name: value for name, value in url.query.items() if name not in {"password", *EMBEDDED_MARK}}
    password = url.password or None  # an empty one, as in user:@host, is none
    printable = URL.create("postgresql", url.username, password, url.host, url.port, url.database, query)
    return printable.render_as_string(hide_password=True)


def with_keepalives(url: URL) -> URL:
    """Add the defaults that let another program notice a silent server as soon as this one does."""
    defaults = {name: str(value) for name, value in _missing_defaults(url).items() if name != "application_name"}
    return url.update_query_dict(defaults)


def connection_arguments(url: URL) -> dict[str, Any]:
    """Give what psycopg needs to connect: the URL's own values, and defaults for those it lacks."""
    return {**(neutral_arguments() if is_embedded(url) else {}), **_missing_defaults(url), **_of_url(url)}


def _of_url(url: URL) -> dict[str, Any]:
    # Not as a string: SQLAlchemy writes a blank in a parameter as "+", which libpq leaves as it is.
    host = url.query.get("host", "")
    if isinstance(host, str) and not re.search("[,:]", host) and "port" not in url.query:
        return {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    # Several hosts are SQLAlchemy's to read. Importing its dialect takes as long as to open ten connections.
    _, arguments = url.set(drivername="postgresql+psycopg").get_dialect()().create_connect_args(url)
    return dict(arguments)


def _missing_defaults(url: URL) -> dict[str, Any]:
    return {name: value for name, value in CONNECTION_DEFAULTS.items() if name not in url.query}
