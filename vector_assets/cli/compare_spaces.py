"""`vector-assets spaces compare`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..translation import ngettext, translate
from .encodings import echo_json
from .options import examples, json_option
from .terminal import out, print_warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..audit.space_audit import ComparedSpace, SpaceComparison
    from ..domain.questions import Question
    from ..quality.neighbor_overlap import NeighborOverlap
    from ..quality.retrieval import RetrievalFigures

_EXAMPLES = examples(
    "vector-assets spaces compare",
    "vector-assets spaces compare --questions questions.jsonl --json",
)

questions_option = click.option(
    "--questions",
    "questions_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help='JSON Lines: {"query": "...", "relevant_documents": ["us/annual_report/AAPL/2024.pdf"]}.',
)


@click.command(short_help="Compare a space with the serving one.", epilog=_EXAMPLES)
@click.argument("space", required=False)
@questions_option
@json_option
def compare(space: str | None, questions_file: Path | None, as_json: bool) -> None:
    """Compare SPACE with the serving space; without SPACE, the one that is filled beside it.

    Shows how complete each is, how alike they see a sample of the chunks, and how fast each answers. With a file of
    questions, also how many questions find a document that answers, among the first 1, 5 and 10 documents of a search,
    and how far up (mean reciprocal rank); then the same by the vectors alone. Nothing is changed.
    """
    from .open_services import open_services
    from .space_progress import SpaceProgress

    questions = read_questions(questions_file)
    with open_services() as services:
        with SpaceProgress() as progress:
            found = services.space_changes.compare(space, questions, progress)
        known = services.documents.known()
    missing = sum(question.relevant_documents.isdisjoint(known) for question in questions)
    if as_json:
        echo_json(comparison_document(found) | {"questions_without_documents": missing})
        return
    _print(found)
    if missing:
        print_warning(
            ngettext(
                "{number:,} question names no document of the database, so that no space can find it.",
                "{number:,} questions name no document of the database, so that no space can find it.",
                missing,
            )
        )


def read_questions(file: Path | None) -> "list[Question]":
    """Read the file of questions, if one is given."""
    from ..audit.question_file import read_questions

    return [] if file is None else read_questions(file)


def _print(found: "SpaceComparison") -> None:
    spaces = (found.one, found.other)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("")
    for space in spaces:
        table.add_column(space.overview.registered.space.slug, justify="right", no_wrap=True)
    for name, *cells in _rows(spaces, found.questions):
        table.add_row(name, *cells)
    out.print(table)
    out.print(_overlap_line(found.overlap))
    for space in spaces:
        if space.problem:
            print_warning(str(space.problem))


def _rows(spaces: "tuple[ComparedSpace, ComparedSpace]", questions: int) -> "Iterator[tuple[str, ...]]":
    overviews = [space.overview for space in spaces]
    yield translate("model"), *(item.registered.space.model for item in overviews)
    yield translate("status"), *(translate(item.registered.status.value) for item in overviews)
    yield translate("coverage"), *(item.coverage_percent for item in overviews)
    answers = [space.answers for space in spaces]
    if answers == [None, None]:
        return
    if questions:
        by_search = [item.by_search if item else None for item in answers]
        yield from _hit_rows(translate("search"), by_search, questions)
        by_vectors = [item.by_vectors if item else None for item in answers]
        yield from _hit_rows(translate("vectors alone"), by_vectors, questions)
    embedding = (_milliseconds(item.embedding_seconds) if item else "" for item in answers)
    yield translate("to embed a question"), *embedding
    answering = (_milliseconds(item.answering_seconds) if item else "" for item in answers)
    yield translate("to answer it"), *answering


def _hit_rows(name: str, figures: "list[RetrievalFigures | None]", questions: int) -> "Iterator[tuple[str, ...]]":
    from ..quality.retrieval import RANKS

    for rank in RANKS:
        title = translate("{ranking}: hits at {rank}, of {questions:,}", ranking=name, rank=rank, questions=questions)
        hits = (f"{item.hits_at(rank):,} ({item.hit_rate(rank):.3f})" if item else "" for item in figures)
        yield title, *hits
    title = translate("{ranking}: mean reciprocal rank", ranking=name)
    means = (f"{item.mean_reciprocal_rank:.3f}" if item else "" for item in figures)
    yield title, *means


def _overlap_line(overlap: "NeighborOverlap") -> str:
    if overlap.share is None:
        return translate("Too few chunks have a vector of the same text in both spaces to compare what is nearest.")
    return translate(
        "Of the {neighbors} chunks that are nearest to a chunk, {share:.0%} are the same in both spaces (mean of "
        "{sampled:,} of the {chunks:,} chunks that both have).",
        neighbors=overlap.neighbors,
        share=overlap.share,
        sampled=overlap.sampled,
        chunks=overlap.chunks,
    )


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.1f} ms"


def comparison_document(found: "SpaceComparison") -> dict[str, object]:
    """Make the JSON document of a comparison."""
    overlap = found.overlap
    return {
        "questions": found.questions,
        "spaces": [_space_document(space, found.questions) for space in (found.one, found.other)],
        "overlap": {
            "chunks": overlap.chunks,
            "sampled": overlap.sampled,
            "neighbors": overlap.neighbors,
            "share": overlap.share,
        },
    }


def _space_document(space: "ComparedSpace", questions: int) -> dict[str, object]:
    registered, answers = space.overview.registered, space.answers
    asked = answers if questions else None
    return {
        "slug": registered.space.slug,
        "model": registered.space.model,
        "status": registered.status,
        "coverage": space.overview.coverage,
        "search": asked and _figures_document(asked.by_search),
        "vectors": asked and _figures_document(asked.by_vectors),
        "embedding_seconds": answers and answers.embedding_seconds,
        "answering_seconds": answers and answers.answering_seconds,
        "problem": space.problem and str(space.problem),
    }


def _figures_document(figures: "RetrievalFigures") -> dict[str, float]:
    from ..quality.retrieval import RANKS

    hits = {f"hits_at_{rank}": figures.hits_at(rank) for rank in RANKS}
    return {**hits, "mean_reciprocal_rank": round(figures.mean_reciprocal_rank, 4)}
