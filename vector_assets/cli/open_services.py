"""Open the services for a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..services import Services
from ..settings import load_settings
from ..storage.libpq_environment import forget_libpq_variables
from ..translation import translate, use_language
from .terminal import working


@contextmanager
def configured_services(
    landing_dir: Path | None = None, creates: bool = False, read_only: bool = False
) -> Iterator[Services]:
    """Set the language and give the services, whose database is opened when it is first used.

    The environment of a command is the product's own: where its databases are the embedded server's, libpq's variables
    are removed from it, for Dagster's processes too.
    """
    given = {} if landing_dir is None else {"landing_dir": landing_dir}
    settings = load_settings(**given)
    use_language(settings.display_language)
    if settings.database_url is None and settings.dagster_database_url is None:
        forget_libpq_variables()
    with Services(settings, creates=creates, read_only=read_only) as services:
        yield services


@contextmanager
def open_services(landing_dir: Path | None = None, creates: bool = False) -> Iterator[Services]:
    """Give the services with their database; `landing_dir` overrides the setting.

    Only commands that bring documents in make a database where there is none; the others say where they looked.
    """
    with configured_services(landing_dir, creates) as services:
        with working(translate("opening the database")):
            _ = services.database
        yield services
