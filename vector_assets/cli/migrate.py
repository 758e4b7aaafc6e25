"""`vector-assets migrate`."""

import click

from ..translation import translate
from .options import examples

_EXAMPLES = examples("vector-assets migrate --check", "vector-assets migrate")


@click.command(epilog=_EXAMPLES)
@click.option("--check", is_flag=True, help="Only say whether a migration is due, with exit code 1 if it is.")
@click.pass_context
def migrate(ctx: click.Context, check: bool) -> None:
    """Bring the tables of a shared database to this version, and make them where there are none.

    No other command migrates a shared database: processes of an older version may work with it. The embedded server's
    tables, and an empty database, need no such command.
    """
    from ..storage.migrate import HEAD
    from .open_services import configured_services

    with configured_services(creates=not check) as services:
        if not check:
            services.migrate()
        state = services.tables_state()
    if state.revision is None:
        click.echo(translate("there are no tables yet; this version makes revision {newest}", newest=HEAD))
    else:
        click.echo(
            translate(
                "the tables are at revision {found}; this version needs {newest}", found=state.revision, newest=HEAD
            )
        )
    if not state.is_usable:
        ctx.exit(1)
