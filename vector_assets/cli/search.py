"""`vector-assets search`."""

import json
from collections.abc import Sequence

import click
from rich.padding import Padding
from rich.text import Text

from ..domain.search import SearchFilter, SearchHit
from ..domain.spaces import SpaceStatus
from ..search.passage import best_passage
from ..translation import translate
from .chosen_space import chosen_space, space_option
from .options import examples, json_option
from .terminal import out, print_warning

_SHOWN_CHARACTERS = 240

_EXAMPLES = examples(
    "vector-assets search 'share buyback price limit' --market hk",
    "vector-assets search 'supplier concentration' --company AAPL --limit 10 --json",
)


@click.command(short_help="Find the chunks that answer a question.", epilog=_EXAMPLES)
@click.argument("text")
@click.option("--market", help="Search this market only, e.g. us.")
@click.option("--doc-type", help="Search this document type only, e.g. annual_report.")
@click.option("--company", help="Search this stock code only, e.g. AAPL.")
@click.option("--period", help="Search documents of this period only, as the manifest names it, e.g. 2024.")
@click.option("--language", help="Search documents in this language only, e.g. en or zh.")
@click.option("--limit", default=5, show_default=True, help="The number of chunks to find.")
@space_option
@json_option
def search(
    text: str,
    market: str | None,
    doc_type: str | None,
    company: str | None,
    period: str | None,
    language: str | None,
    limit: int,
    space: str | None,
    as_json: bool,
) -> None:
    """Find the chunks that answer TEXT best, the best first.

    They are ranked by the cosine similarity of the vectors, which is shown, and by the terms that they share with TEXT.
    """
    from .open_services import open_services
    from .terminal import working

    search_filter = SearchFilter(market, doc_type, company, period, language)
    with open_services() as services:
        chosen = chosen_space(services, space) if space else None
        engine = services.search_in(chosen.space) if chosen else services.search
        with working(translate("loading the model")):
            hits = engine.find(text, search_filter, limit)
    if chosen and chosen.status is SpaceStatus.RETIRED:
        print_warning(
            translate(
                "{space} is retired: what is new or has changed since is not found there.", space=chosen.space.slug
            )
        )
    if as_json:
        click.echo(json.dumps({"hits": [_document(hit) for hit in hits]}, ensure_ascii=False))
    elif hits:
        print_hits(hits, text)
    else:
        click.echo(translate("Nothing found. vector-assets status shows which partitions have vectors."))


def print_hits(hits: Sequence[SearchHit], question: str) -> None:
    """Print the score and the place of each hit on one line, and below what its text says of the question."""
    for hit in hits:
        place = translate("{document}  chunk {index}", document=hit.document, index=hit.chunk_index)
        about = ", ".join(filter(None, (_pages(hit), hit.company_name, hit.title, hit.period, hit.language)))
        score = translate("terms") if hit.score is None else f"{hit.score:.3f}"
        click.echo(f"{score}  {place}  {about}".rstrip())
        shown = best_passage(_without_context(hit), question, _SHOWN_CHARACTERS)
        out.print(Padding(Text(shown), (0, 0, 0, 7)), soft_wrap=False)


def _without_context(hit: SearchHit) -> str:
    """Leave out the first line of a chunk where it says what the hit's own line says already."""
    first, _, rest = hit.text.partition("\n")
    return rest if rest.strip() and hit.title and hit.title in first else hit.text


def _pages(hit: SearchHit) -> str:
    """Name the page of a hit, or its first and last one; empty where the document has none."""
    if hit.page_from is None:
        return ""
    if hit.page_to in (None, hit.page_from):
        return translate("page {page:,}", page=hit.page_from)
    return translate("pages {first:,} to {last:,}", first=hit.page_from, last=hit.page_to)


def _document(hit: SearchHit) -> dict[str, object]:
    return {
        "score": None if hit.score is None else round(hit.score, 6),
        "partition": str(hit.partition),
        "document": hit.document,
        "company_name": hit.company_name,
        "title": hit.title,
        "period": hit.period,
        "language": hit.language,
        "chunk_id": str(hit.chunk_id),
        "chunk_index": hit.chunk_index,
        "page_from": hit.page_from,
        "page_to": hit.page_to,
        "dense_rank": hit.dense_rank,
        "lexical_rank": hit.lexical_rank,
        "text": hit.text,
    }
