"""`vector-assets doctor`."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..domain.wording import readable_bytes
from ..errors import InvalidSetting, VectorAssetsError
from ..translation import translate
from .options import examples
from .terminal import working

if TYPE_CHECKING:
    from ..services import Services
    from ..settings import Settings

# The first load of a model, Dagster's storage and 100,000 vectors fit in this.
_NEEDED_DISK_BYTES = 2 * 1024**3


@click.command(short_help="Check the installation and say how to fix it.", epilog=examples("vector-assets doctor"))
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """List the settings, and check disk, database, pgvector, model and vectors: each is ok, or says how to fix it."""
    from ..services import Services
    from ..settings import load_settings

    settings = load_settings()
    healthy = True
    click.echo("settings")
    for line in _settings_lines(settings):
        click.echo(f"  {line}")
    with Services(settings) as services:
        for name, check in _CHECKS.items():
            try:
                click.echo(f"ok    {name:<8} {check(services)}")
            except VectorAssetsError as error:
                healthy = False
                click.echo(f"FIX   {name:<8} {error}")
    if not healthy:
        ctx.exit(1)


def _disk(services: "Services") -> str:
    home = services.settings.home
    existing = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < _NEEDED_DISK_BYTES:
        fix = "Free some space, or set it to a directory on another disk."
        raise InvalidSetting("VECTOR_ASSETS_HOME", f"only {readable_bytes(free)} are free at {existing}", fix)
    return f"{readable_bytes(free)} free at {home}"


def _database(services: "Services") -> str:
    from ..storage.database_url import printable_url

    return f"PostgreSQL {services.database.server_version()} at {printable_url(services.url)}"


def _pgvector(services: "Services") -> str:
    return f"pgvector {services.database.pgvector_version()}"


def _model(services: "Services") -> str:
    with working(translate("loading the model")):
        vector = services.embedder.embed_query("ready")
    space, device = services.embedder.space, services.embedder.device
    return f"{space.model} ({space.revision}), {len(vector)} dimensions, {space.max_tokens} tokens, on {device}"


def _vectors(services: "Services") -> str:
    active = services.spaces.active()
    if not services.spaces.is_registered(services.space):
        return "this model has none yet" + (f"; search uses those of {active.model}" if active else "")
    return f"in space {services.space.slug}, made with these weights"


def _settings_lines(settings: "Settings") -> Iterator[str]:
    for name, field in type(settings).model_fields.items():
        chosen = "" if name in settings.model_fields_set else "  (default)"
        yield f"{field.validation_alias}={_shown(getattr(settings, name))}{chosen}"
        yield f"    {field.description}"


def _shown(value: object) -> str:
    """Format a setting: secrets as asterisks, one that is not set as nothing."""
    return "" if value is None else str(value)


_CHECKS = {"disk": _disk, "database": _database, "pgvector": _pgvector, "model": _model, "vectors": _vectors}
