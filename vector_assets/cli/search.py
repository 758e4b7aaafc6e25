"""`vector-assets search`."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ..domain.search import SearchAnswer, SearchFilter, SearchHit
from ..domain.spaces import SpaceStatus
from ..errors import VectorAssetsError
from ..translation import translate
from .chosen_space import chosen_space, space_option
from .encodings import echo_json, keep_undecodable, typed_text
from .options import examples, json_option
from .selection import Selection, partition_options
from .terminal import out, print_prose, print_warning, working
from .wrapped_text import wrapped

if TYPE_CHECKING:
    from ..search import FilingsSearch

_SHOWN_CHARACTERS = 240
_INDENT = " " * 7
_LEAST_WIDTH = 20
_MOST_AROUND = 50

_EXAMPLES = examples(
    "vector-assets search 'share buyback price limit' hk/ cn/",
    "vector-assets search 'supplier concentration' aapl --period 2024 --limit 10 --json",
    "vector-assets search --interactive us/annual_report/",
)


@dataclass(frozen=True)
class _Request:
    """What each question of the command is asked with."""

    where: SearchFilter
    limit: int
    around: int
    as_json: bool


@click.command(epilog=_EXAMPLES)
@click.argument("text", required=False)
@partition_options
@click.option("--period", "periods", multiple=True, help="A period of documents, e.g. 2024. Can be repeated.")
@click.option("--language", "languages", multiple=True, help="A language, e.g. en or zh. Can be repeated.")
@click.option("--limit", default=5, show_default=True, help="The number of chunks to find.")
@click.option(
    "--around",
    type=click.IntRange(0, _MOST_AROUND),
    default=0,
    help="Show each hit whole, with so many chunks of its document before and after it.",
)
@click.option("--interactive", is_flag=True, help="Ask for one question after the other; every argument is a PATTERN.")
@space_option
@json_option
def search(
    text: str | None,
    selection: Selection,
    periods: tuple[str, ...],
    languages: tuple[str, ...],
    limit: int,
    around: int,
    interactive: bool,
    space: str | None,
    as_json: bool,
) -> None:
    """Find the chunks that answer TEXT best, the best first.

    They are ranked by the cosine similarity of the vectors, which is shown, and by the terms that they share with TEXT.

    PATTERN is a partition key or a part of one, as in vector-assets status: us/ is a market, AAPL a company.
    """
    from .open_services import configured_services

    if interactive and text is not None:
        selection = Selection((text, *selection.patterns), selection.markets, selection.companies, selection.doc_types)
    elif text is None and not interactive:
        raise click.UsageError(translate("Say what to look for: vector-assets search TEXT, or --interactive."))
    request = _Request(SearchFilter(selection, periods, languages), limit, around, as_json)
    with configured_services() as services:
        services.begin_loading()
        with working(translate("opening the database")):
            _ = services.database
        chosen = chosen_space(services, space) if space else None
        engine = services.search_in(chosen.space) if chosen else services.search
        if chosen and chosen.status is SpaceStatus.RETIRED:
            retired = translate(
                "{space} is retired: what is new or has changed since is not found there.", space=chosen.space.slug
            )
            print_warning(retired)
        if interactive:
            _converse(lambda question: _ask(engine, question, request))
        else:
            _ask(engine, text or "", request)


def _converse(ask: Callable[[str], None]) -> None:
    """Answer the lines of stdin until it ends; at a terminal, a blank line ends it too."""
    stdin = sys.stdin
    keep_undecodable(stdin)
    while True:
        if stdin.isatty():
            click.echo("? ", nl=False, err=True)
        line = stdin.readline()
        if not line or (stdin.isatty() and not line.strip()):
            return
        try:
            ask(line.rstrip("\r\n"))
        except VectorAssetsError as error:
            click.echo(str(error), err=True)


def _ask(engine: "FilingsSearch", question: str, request: _Request) -> None:
    from ..search.json_records import answer_record, passage_record

    question = typed_text(question)
    with working(translate("loading the model")):
        answer = engine.answer(question, request.where, request.limit)
    if not request.as_json:
        print_answer(answer, question, engine if request.around else None, request.around)
        return
    record = answer_record(answer)
    if request.around:
        passages = [engine.passage(hit.chunk_id, request.around) for hit in answer.hits if hit.chunk_id]
        record["passages"] = [passage_record(passage) for passage in passages]
    echo_json(record)


def print_answer(answer: SearchAnswer, question: str, passages: "FilingsSearch | None" = None, around: int = 0) -> None:
    """Print the hits; without `passages`, which reads the text around them, the best part of each.

    Where not all chunks that were asked for have a vector, say how many have.
    """
    print_hits(answer.hits, question, passages, around)
    if not answer.hits:
        click.echo(answer.coverage.note)
    elif answer.coverage.note:
        print_warning(answer.coverage.note)


def print_hits(
    hits: Sequence[SearchHit], question: str, passages: "FilingsSearch | None" = None, around: int = 0
) -> None:
    """Print the score, the place and the ranks of each hit on one line, and below it its text or what fits of it."""
    from ..search.passage import best_passage

    for hit in hits:
        place = translate("{document}  chunk {index}", document=hit.document, index=hit.chunk_index)
        about = ", ".join(filter(None, (_pages(hit), hit.company_name, hit.title, hit.period, hit.language)))
        score = translate("terms") if hit.score is None else f"{hit.score:.3f}"
        print_prose(f"{score}  {place}  {about}  ({_ranks(hit)})", out, _INDENT)
        if passages is not None and hit.chunk_id:
            shown = passages.passage(hit.chunk_id, around).text
        else:
            shown = best_passage(_without_context(hit), question, _SHOWN_CHARACTERS)
        for line in wrapped(shown, max(out.width - len(_INDENT), _LEAST_WIDTH)):
            click.echo(f"{_INDENT}{line}")


def _without_context(hit: SearchHit) -> str:
    """Leave out the first line of a chunk where it says what the hit's own line says already."""
    first, _, rest = hit.text.partition("\n")
    return rest if rest.strip() and hit.title and hit.title in first else hit.text


def _ranks(hit: SearchHit) -> str:
    """Say which ranking has the hit at which place."""
    ranks = []
    if hit.dense_rank:
        ranks.append(translate("vectors {rank:,}", rank=hit.dense_rank))
    if hit.lexical_rank:
        ranks.append(translate("terms {rank:,}", rank=hit.lexical_rank))
    return ", ".join(ranks)


def _pages(hit: SearchHit) -> str:
    """Name the page of a hit, or its first and last one; empty where the document has none."""
    if hit.page_from is None:
        return ""
    if hit.page_to in (None, hit.page_from):
        return translate("page {page:,}", page=hit.page_from)
    return translate("pages {first:,} to {last:,}", first=hit.page_from, last=hit.page_to)
