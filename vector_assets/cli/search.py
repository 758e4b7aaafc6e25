"""`vector-assets search`."""

import json
from collections.abc import Sequence

import click
from rich.padding import Padding
from rich.text import Text

from ..domain.search import SearchFilter, SearchHit
from .options import json_option
from .terminal import out

_SHOWN_CHARACTERS = 240


@click.command(short_help="Find the chunks nearest to a text.")
@click.argument("text")
@click.option("--market", help="Only this market, e.g. us.")
@click.option("--doc-type", help="Only this type of document, e.g. annual_report.")
@click.option("--company", help="Only this stock code, e.g. AAPL.")
@click.option("--limit", default=5, show_default=True, help="How many chunks.")
@json_option
def search(text: str, market: str | None, doc_type: str | None, company: str | None, limit: int, as_json: bool) -> None:
    """Find the chunks nearest to TEXT by exact cosine similarity, best first."""
    from .open_services import open_services
    from .terminal import working

    where = SearchFilter(market=market, doc_type=doc_type, stock_code=company)
    with open_services() as services:
        found = services.search
        with working("loading the model"):
            hits = found.find(text, where, limit)
    if as_json:
        click.echo(json.dumps({"hits": [_document(hit) for hit in hits]}, ensure_ascii=False))
    elif hits:
        print_hits(hits)
    else:
        click.echo("Nothing found. vector-assets status shows which partitions have vectors.")


def print_hits(hits: Sequence[SearchHit]) -> None:
    """Score and place on one line, the beginning of the text below it."""
    for hit in hits:
        click.echo(f"{hit.score:.3f}  {hit.document}  chunk {hit.chunk_index}")
        words = " ".join(hit.text.split())
        shown = words if len(words) <= _SHOWN_CHARACTERS else words[:_SHOWN_CHARACTERS] + " ..."
        out.print(Padding(Text(shown), (0, 0, 0, 7)), soft_wrap=False)


def _document(hit: SearchHit) -> dict[str, object]:
    return {
        "score": round(hit.score, 6),
        "partition": str(hit.partition),
        "document": hit.document,
        "chunk_index": hit.chunk_index,
        "text": hit.text,
    }
