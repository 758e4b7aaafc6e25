"""The parts as commands open them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..services import Parts
from ..settings import load_settings
from .terminal import working


@contextmanager
def open_parts(landing_dir: Path | None = None) -> Iterator[Parts]:
    """The parts, their database up; `landing_dir` wins over the setting."""
    given = {} if landing_dir is None else {"landing_dir": landing_dir}
    with Parts(load_settings(**given)) as parts:
        with working("opening the database"):
            _ = parts.database
        yield parts
