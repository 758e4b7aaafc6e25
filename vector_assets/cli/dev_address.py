"""Where the web pages of the Dagster of a home are, for other commands that link to them."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .ports import HOST

_NAME = "dagster-port"


@contextmanager
def recorded_port(home: Path, port: int) -> Iterator[None]:
    """Write the port down meanwhile."""
    file = home / _NAME
    file.write_text(f"{port}\n")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def address_of_dev(home: Path) -> str | None:
    """Read the address of the pages that answer now; None where there are none."""
    with suppress(OSError, ValueError):
        port = int((home / _NAME).read_text())
        return f"http://{HOST}:{port}" if answers(port) else None
    return None


def answers(port: int) -> bool:
    """Say whether Dagster's web pages are served at the port."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
