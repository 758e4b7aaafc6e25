"""`vector-assets doctor`."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from ..errors import DatabaseError, VectorAssetsError
from ..translation import translate
from .options import examples

if TYPE_CHECKING:
    from ..services import Services
    from ..settings import Settings

_EXAMPLES = examples("vector-assets doctor", "vector-assets doctor --all", "vector-assets doctor --cluster")


@click.command(epilog=_EXAMPLES)
@click.option("--all", "show_all", is_flag=True, help="List every setting with its meaning, not only the changed ones.")
@click.option("--cluster", is_flag=True, help="Ask every node of the Ray cluster on which Dagster starts runs instead.")
@click.pass_context
def doctor(ctx: click.Context, show_all: bool, cluster: bool) -> None:
    """Check settings, disk, landing directory, databases, pgvector, model and vectors, and list the changed settings.

    Each check has a line: ok; WARN, which may be meant; FIX, which says what to do; or skip, where an earlier line says
    it. With a FIX, the exit code is 1.
    """
    from ..settings import load_settings
    from .open_services import configured_services

    # The embedded server is tried; a database elsewhere may be another one than is meant, so that none is made.
    with configured_services(creates=load_settings().database_url is None) as services:
        if cluster:
            from .cluster_checks import print_cluster

            ctx.exit(0 if print_cluster(services) else 1)
        healthy = _print_checks(services)
        click.echo("")
        click.echo(
            translate("settings") if show_all else translate("changed settings (all: vector-assets doctor --all)")
        )
        for line in _settings_lines(services.settings, show_all):
            click.echo(f"  {line}")
    if not healthy:
        ctx.exit(1)


def _print_checks(services: "Services") -> bool:
    """Print a line for each check. Return whether none of them asks for a fix."""
    from .health_checks import CHECKS, Doubt

    faults: set[object] = set()
    for name, check in CHECKS.items():
        try:
            _print_check("ok", "green", name, check(services))
        except Doubt as doubt:
            _print_check("WARN", "yellow", name, str(doubt))
        except VectorAssetsError as error:
            if (fault := _fault(error, services)) in faults:
                _print_check("skip", "bright_black", name, translate("needs what is to be fixed above"))
            else:
                _print_check("FIX", "red", name, str(error))
            faults.add(fault)
    return not faults


def _fault(error: VectorAssetsError, services: "Services") -> object:
    """Return what two checks share that fail for one reason: one server has both databases, or a line says it all."""
    is_shared = isinstance(error, DatabaseError) and services.settings.dagster_database_url is None
    return type(error) if is_shared else str(error)


def _print_check(outcome: str, colour: str, name: str, found: str) -> None:
    click.echo(f"{click.style(f'{outcome:<5}', fg=colour)} {name:<8} {found}")


def _settings_lines(settings: "Settings", show_all: bool) -> Iterator[str]:
    for name, field in type(settings).model_fields.items():
        is_default = name not in settings.model_fields_set
        if show_all:
            yield f"{field.validation_alias}={_shown(getattr(settings, name))}" + (
                "  " + translate("(default)") if is_default else ""
            )
            yield f"    {field.description}"
        elif not is_default:
            yield f"{field.validation_alias}={_shown(getattr(settings, name))}"


def _shown(value: object) -> str:
    """Format a setting: secrets as asterisks, one that is not set as nothing."""
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False) if value else ""
    return "" if value is None else str(value)
