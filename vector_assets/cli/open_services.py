"""Open the services for a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..services import Services
from ..settings import load_settings
from ..translation import translate, use_language
from .terminal import working


@contextmanager
def open_services(landing_dir: Path | None = None) -> Iterator[Services]:
    """Set the language and open the services with their database; `landing_dir` overrides the setting."""
    given = {} if landing_dir is None else {"landing_dir": landing_dir}
    settings = load_settings(**given)
    use_language(settings.display_language)
    with Services(settings) as services:
        with working(translate("opening the database")):
            _ = services.database
        yield services
