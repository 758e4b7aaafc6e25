"""The services as commands open them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..services import Services
from ..settings import load_settings
from .terminal import working


@contextmanager
def open_services(landing_dir: Path | None = None) -> Iterator[Services]:
    """Open the services with their database; `landing_dir` wins over the setting."""
    given = {} if landing_dir is None else {"landing_dir": landing_dir}
    with Services(load_settings(**given)) as services:
        with working("opening the database"):
            _ = services.database
        yield services
