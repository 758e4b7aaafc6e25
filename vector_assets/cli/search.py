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
@click.option("--period", help="Only documents of this period, as the manifest has it, e.g. 2024.")
@click.option("--language", help="Only documents in this language, e.g. en or zh.")
@click.option("--limit", default=5, show_default=True, help="How many chunks.")
@json_option
def search(
    text: str,
    market: str | None,
    doc_type: str | None,
    company: str | None,
    period: str | None,
    language: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Find the chunks nearest to TEXT by exact cosine similarity, best first."""
    from .open_services import open_services
    from .terminal import working

    where = SearchFilter(market, doc_type, company, period, language)
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
    """Print score, place and document on one line, the beginning of the text below it."""
    for hit in hits:
        about = ", ".join(filter(None, (hit.company_name, hit.title, hit.period, hit.language)))
        click.echo(f"{hit.score:.3f}  {hit.document}  chunk {hit.chunk_index}  {about}".rstrip())
        words = " ".join(hit.text.split())
        shown = words if len(words) <= _SHOWN_CHARACTERS else words[:_SHOWN_CHARACTERS] + " ..."
        out.print(Padding(Text(shown), (0, 0, 0, 7)), soft_wrap=False)


def _document(hit: SearchHit) -> dict[str, object]:
    return {
        "score": round(hit.score, 6),
        "partition": str(hit.partition),
        "document": hit.document,
        "company_name": hit.company_name,
        "title": hit.title,
        "period": hit.period,
        "language": hit.language,
        "chunk_index": hit.chunk_index,
        "text": hit.text,
    }
