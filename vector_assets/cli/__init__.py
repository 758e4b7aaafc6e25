"""`vector-assets ...`: each command has a file of its own. Heavy libraries are imported when a command needs them."""

from typing import Any

import click

from ..errors import Interrupted, VectorAssetsError
from .backfill import backfill
from .demo import demo
from .dev import dev
from .doctor import doctor
from .encodings import replace_unprintable
from .failures import failures
from .index import index
from .ingest import ingest
from .mcp import mcp
from .migrate import migrate
from .rechunk import rechunk
from .remove import remove
from .retry_failed import retry_failed
from .search import search
from .signals import exit_on_signals
from .spaces import spaces
from .status import status


class _OneLineErrors(click.Group):
    """Prints an error of the product as one line and exits with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        replace_unprintable()
        try:
            with exit_on_signals():
                return super().invoke(ctx)
        except Interrupted as error:
            click.echo(str(error), err=True)
            ctx.exit(128 + error.number)
        except VectorAssetsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="vector_assets")
def main() -> None:
    """Keep one current vector in pgvector for every chunk of company filings, and watch the work.

    Start with `vector-assets demo`. Settings are environment variables, and `vector-assets doctor` lists them.
    """


for _command in (
    demo,
    dev,
    ingest,
    backfill,
    status,
    failures,
    retry_failed,
    search,
    mcp,
    remove,
    spaces,
    index,
    rechunk,
    migrate,
    doctor,
):
    main.add_command(_command)
