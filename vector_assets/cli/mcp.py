"""`vector-assets mcp`."""

import sys

import click

from ..errors import ExtraMissing
from ..translation import translate
from .options import examples
from .ports import HOST, refuse_taken_port

_PORT = 8765

_EXAMPLES = examples("vector-assets mcp", "vector-assets mcp --http --port 8765")


@click.command(epilog=_EXAMPLES)
@click.option("--http", is_flag=True, help="Serve HTTP on this machine instead of stdin and stdout.")
@click.option("--port", type=click.IntRange(1, 65_535), default=_PORT, show_default=True, help="The port of --http.")
def mcp(http: bool, port: int) -> None:
    """Let agents search, by the Model Context Protocol: an agent starts this command and talks to it.

    They get the tools search_filings, read_passage and list_partitions. Nothing can be written: all transactions are
    read-only. The database is opened by the first call.
    """
    from .open_services import configured_services

    try:
        from ..mcp_server import make_server
    except ModuleNotFoundError as error:
        raise ExtraMissing("vector-assets mcp", "mcp") from error
    with configured_services(read_only=True) as services:
        server = make_server(services)
        if http:
            refuse_taken_port(port)
            click.echo(f"http://{HOST}:{port}/mcp", err=True)
            server.run("streamable-http", host=HOST, port=port)
            return
        if sys.stdin.isatty():
            click.echo(translate("An agent starts this command and talks to it. To end it: Ctrl-D."), err=True)
        server.run("stdio")
