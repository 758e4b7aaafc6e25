"""`vector-assets ...`: each command has a file of its own, which is imported when the command is named."""

from importlib import import_module
from typing import Any

import click

from ..errors import Interrupted, VectorAssetsError
from .encodings import replace_unprintable
from .garbage import look_for_garbage_seldom
from .lost_output import exit_if_output_is_lost
from .signals import exit_on_signals

_COMMANDS = {
    "backfill": "Embed the pending chunks.",
    "demo": "Do the whole job once, on sample filings or yours.",
    "dev": "Run the database, Dagster and its sensors on this machine.",
    "doctor": "Check the installation and say how to fix it.",
    "failures": "List the chunks that failed, with their errors.",
    "index": "Build and check the index that makes searches fast.",
    "ingest": "Read new filings and chunk them.",
    "mcp": "Let agents search, by the Model Context Protocol.",
    "migrate": "Bring the tables of a database to this version.",
    "rechunk": "Chunk all documents again, as the settings say.",
    "remove": "Remove documents, or whole partitions.",
    "retry-failed": "Retry the chunks that failed.",
    "search": "Find the chunks that answer a question.",
    "spaces": "List the embedding spaces, and change what serves.",
    "status": "Show how complete the partitions are.",
}
"""What `--help` says of each command."""


class _Commands(click.Group):
    """Imports the command that is named. Prints an error of the product as one line and exits with 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f".{name}", __package__), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def main(self, *arguments: Any, **options: Any) -> Any:
        look_for_garbage_seldom()
        with exit_if_output_is_lost():
            return super().main(*arguments, **options)

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


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="vector_assets")
def main() -> None:
    """Keep one current vector in pgvector for every chunk of company filings, and watch the work.

    Start with `vector-assets demo`. Settings are environment variables, and `vector-assets doctor` lists them.
    """
