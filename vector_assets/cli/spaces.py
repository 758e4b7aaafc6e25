"""`vector-assets spaces ...`: add a model beside the one that serves, compare, promote, and go back."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from ..domain.spaces import SpaceStatus
from ..domain.wording import readable_age, readable_bytes
from ..errors import VectorAssetsError
from ..errors.spaces import filling_command
from ..estimates.vector_size import vector_bytes
from ..translation import marked, translate
from .compare_spaces import compare, questions_option, read_questions
from .encodings import echo_json
from .fitting_table import print_fitting
from .options import examples, json_option
from .terminal import out, print_warning, working

if TYPE_CHECKING:
    from ..domain.spaces import SpaceOverview
    from ..services import Services
    from ..settings import Settings
    from ..space_changes import SpaceChange

_HEADERS = (
    marked("space"),
    marked("model"),
    marked("status"),
    marked("coverage"),
    marked("pending"),
    marked("quarantined"),
    marked("size"),
    marked("registered"),
)
# The columns that a narrow terminal does without, the first ones first.
_DISPENSABLE = ("registered", "size", "quarantined", "model", "pending")
_STATUSES = {
    SpaceStatus.FILLING: marked("filling"),
    SpaceStatus.SERVING: marked("serving"),
    SpaceStatus.RETIRED: marked("retired"),
}

_EXAMPLES = examples(
    "vector-assets spaces",
    "vector-assets spaces add intfloat/multilingual-e5-small",
    "EMBEDDING_MODEL=intfloat/multilingual-e5-small vector-assets backfill",
    "vector-assets spaces promote multilingual_e5_small_384_1f0c9ab2",
)


@click.group(invoke_without_command=True, epilog=_EXAMPLES)
@json_option
@click.pass_context
def spaces(ctx: click.Context, as_json: bool) -> None:
    """List the embedding spaces: what serves, what is filled beside it, and how complete each is.

    To change the model without a gap: `add` registers its space, backfills fill it while searches read the other one,
    `compare` measures the two, `promote` lets it serve, and `rollback` lets the former one serve again. Both are kept
    up to date until one is retired.
    """
    if ctx.invoked_subcommand is not None:
        return
    from .open_services import open_services

    with open_services() as services:
        overviews = services.spaces.overviews()
    if as_json:
        echo_json({"spaces": [_document(item) for item in overviews]})
    elif not overviews:
        click.echo(translate("No embedding space yet. The first run makes one: vector-assets backfill"))
    else:
        _print(overviews)


@spaces.command("add", short_help="Fill another model's space beside the one that serves.")
@click.argument("model")
@click.option("--yes", is_flag=True, help="Do not ask.")
def add(model: str, yes: bool) -> None:
    """Register the space of MODEL, a name or a folder, and queue all chunks there. Nothing is embedded yet.

    Prints first what the space will take. A retired space is filled again: its vectors of unchanged chunks are kept. A
    model whose weights or vectors have changed gets a new space.
    """
    from .open_services import open_services

    if not model.strip():
        raise click.UsageError(translate("Name a model, e.g. intfloat/multilingual-e5-small."))
    with open_services() as services:
        other = services.with_model(model)
        with working(translate("loading the model")):
            other.renew_space()
        _print_plan(other)
        if not yes:
            click.confirm(translate("Go on?"), abort=True)
        with working(translate("queueing the chunks")):
            space = other.add_space()
            serves = services.spaces.serving() == space
    if serves:
        click.echo(translate("{space} serves.", space=space.slug))
        return
    added = translate(
        "{space} is being filled. Embed its chunks: {command}", space=space.slug, command=_backfill(other.settings)
    )
    click.echo(added)


@spaces.command("promote", short_help="Let the filling space serve.")
@click.argument("space")
@questions_option
@click.option("--force", is_flag=True, help="Also where a gate fails; prints which ones were skipped.")
def promote(space: str, questions_file: Path | None, force: bool) -> None:
    """Let SPACE serve from now on. The space that served until now is kept up to date, so that you can go back.

    Three gates must pass: every chunk has a vector there; its model still makes the vectors that it has of reference
    texts; and, where a file of questions is given, a search there finds the answers to as many as in the serving space
    (among the first 5 documents).
    """
    from .open_services import open_services
    from .space_progress import SpaceProgress

    questions = read_questions(questions_file)
    with open_services() as services:
        with SpaceProgress() as progress:
            change = services.space_changes.promote(space, force, questions, progress)
        _record(services, change)
    for gate in dict.fromkeys(str(error) for error in change.failed):
        click.echo(translate("skipped by --force: {gate}", gate=gate), err=True)
    click.echo(translate("{space} serves.", space=space))


@spaces.command("rollback", short_help="Let the space serve again that served before.")
def rollback() -> None:
    """Let the space serve again that served before the last promotion."""
    from .open_services import open_services

    with open_services() as services:
        change = services.space_changes.rollback()
        _record(services, change)
    if change.serves:
        click.echo(translate("{space} serves.", space=change.serves.slug))


@spaces.command("retire", short_help="Stop keeping a space up to date.")
@click.argument("space")
def retire(space: str) -> None:
    """Stop keeping SPACE up to date. Its vectors stay; `spaces add` with its model fills what is missing then."""
    from .open_services import open_services

    with open_services() as services:
        services.spaces.retire(space)
    click.echo(translate("{space} is retired.", space=space))


@spaces.command("drop", short_help="Delete a space with its vectors.")
@click.argument("space")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(space: str, yes: bool) -> None:
    """Delete SPACE with all its vectors. The serving space cannot be dropped."""
    from .open_services import open_services

    with open_services() as services:
        if not yes:
            model = services.space_changes.find(space).registered.space.model
            question = translate("Delete the vectors of {model} in {space}?", model=model, space=space)
            click.confirm(question, abort=True)
        services.spaces.drop(space)
    click.echo(translate("{space} is dropped.", space=space))


spaces.add_command(compare)


def _record(services: "Services", change: "SpaceChange") -> None:
    """Record the promotion in Dagster. It has happened, so that a storage that is away costs a warning."""
    with working(translate("opening Dagster's storage")):
        from ..defs.runtime.instance import open_instance
        from ..defs.serving_space_asset import record_promotion
    try:
        with open_instance(services) as instance:
            record_promotion(instance, change)
    except VectorAssetsError as error:
        print_warning(str(error))


def _backfill(settings: "Settings") -> str:
    """Write the command that fills the space of a model, with the variables that choose it."""
    given = {
        "EMBEDDING_PROVIDER": settings.embedding_provider,
        "EMBEDDING_API_BASE": settings.embedding_api_base,
        "EMBEDDING_MODEL": settings.embedding_model,
        "EMBEDDING_DIMENSIONS": settings.embedding_dimensions,
        "EMBEDDING_DOCUMENT_PROMPT": settings.embedding_document_prompt,
        "EMBEDDING_QUERY_PROMPT": settings.embedding_query_prompt,
        "EMBEDDING_DOCUMENT_FIELDS": _json(settings.embedding_document_fields),
        "EMBEDDING_QUERY_FIELDS": _json(settings.embedding_query_fields),
    }
    return filling_command(given)


def _json(fields: Mapping[str, object] | None) -> str | None:
    return None if fields is None else json.dumps(fields, ensure_ascii=False)


def _print_plan(services: "Services") -> None:
    chunks = {status.partition: status.chunks for status in services.status()}
    size = readable_bytes(sum(chunks.values()) * vector_bytes(services.space.dimension))
    # The last runs were those of another model, which says nothing of how fast this one is.
    with working(translate("trying how long the chunks take")):
        plan = services.plan(chunks, [])
    click.echo(f"{services.space.slug}: {plan.line()}")
    if plan.disk_bytes is None:
        click.echo(translate("It takes about {size} on disk.", size=size))
    if services.space.document_prompt or services.space.query_prompt:
        prompts = translate(
            "Prompts: {document!r} before each document, {query!r} before each question (from {source}).",
            document=services.space.document_prompt,
            query=services.space.query_prompt,
            source=translate(services.prompts.source),
        )
        click.echo(prompts)


def _print(overviews: "list[SpaceOverview]") -> None:
    headers = {header: translate(header) for header in _HEADERS}
    # A space's name has its model in it, and is copied into the next command.
    print_fitting(out, headers, [_cells(item) for item in overviews], _DISPENSABLE, left=3)


def _cells(item: "SpaceOverview") -> list[Text]:
    registered = item.registered
    return [
        Text(registered.space.slug),
        Text(registered.space.model),
        Text(translate(_STATUSES[registered.status])),
        Text(item.coverage_percent),
        Text(f"{item.pending:,}" if item.is_live else ""),
        Text(f"{item.quarantined:,}" if item.is_live else ""),
        Text(readable_bytes(item.table_bytes)),
        Text(readable_age(registered.created_at, datetime.now(UTC))),
    ]


def _document(item: "SpaceOverview") -> dict[str, object]:
    registered = item.registered
    return {
        "slug": registered.space.slug,
        "model": registered.space.model,
        "revision": registered.space.revision,
        "dimension": registered.space.dimension,
        "status": registered.status,
        "coverage": item.coverage,
        "pending": item.pending,
        "quarantined": item.quarantined,
        "bytes": item.table_bytes,
        "created_at": registered.created_at.isoformat(timespec="seconds"),
    }
