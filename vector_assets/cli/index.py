"""`vector-assets index`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import VectorAssetsError
from ..translation import translate
from .compare_spaces import questions_option, read_questions
from .options import examples
from .terminal import err, print_warning, working

if TYPE_CHECKING:
    from ..domain.spaces import EmbeddingSpace
    from ..index_upkeep import IndexOptions, IndexReport
    from ..services import Services
    from ..vector_index.build_progress import BuildProgress

_EXAMPLES = examples("vector-assets index --dry-run", "vector-assets index --rebuild --questions questions.jsonl")

# Lines of a build without a terminal.
_LINE_SECONDS = 10.0


@click.command(epilog=_EXAMPLES)
@click.option("--dry-run", is_flag=True, help="Print what would be done, with memory, disk and time; change nothing.")
@click.option("--rebuild", is_flag=True, help="Build a new index, also where there is one or few vectors.")
@click.option("--spill", is_flag=True, help="Build although the graph does not fit into memory.")
@questions_option
def index(dry_run: bool, rebuild: bool, spill: bool, questions_file: Path | None) -> None:
    """Build the index of each live space where it pays, and check it: of the ten nearest vectors it must find 97 %.

    Searches and writers go on meanwhile. Searches use an index once it has passed, and the former one is dropped then.
    """
    from ..index_upkeep import IndexOptions
    from .open_services import open_services

    options = IndexOptions(rebuild, spill, questions=read_questions(questions_file))
    with open_services() as services:
        spaces = services.spaces.live()
        if not spaces:
            click.echo(translate("There are no vectors yet. Create them with vector-assets backfill."))
        if dry_run:
            for space in spaces:
                click.echo(f"{space.slug}: {services.index_upkeep.plan(space, rebuild).line()}")
            return
        reports = [_kept(services, space, options) for space in spaces]
        if spaces:
            _record(services, reports)
    if not all(report.passed for report in reports):
        click.get_current_context().exit(1)


def _kept(services: "Services", space: "EmbeddingSpace", options: "IndexOptions") -> "IndexReport":
    with IndexLines(space.slug) as lines:
        return services.index_upkeep.keep(space, options, lines)


class IndexLines:
    """Prints the work on one space: a line that moves, or without a terminal a line every ten seconds."""

    def __init__(self, slug: str) -> None:
        self._slug = slug
        self._status = err.status(f"{slug} ...") if err.is_terminal else None
        self._due_at = 0.0

    def __enter__(self) -> "IndexLines":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def notice(self, line: str) -> None:
        """Print a line."""
        click.echo(f"{self._slug}: {line}")

    def warning(self, line: str) -> None:
        """Print a warning."""
        print_warning(f"{self._slug}: {line}")

    def progress(self, progress: "BuildProgress") -> None:
        """Show how far the build is."""
        if self._status is not None:
            self._status.update(f"{self._slug}: {progress.line()}")
        elif time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + _LINE_SECONDS
            err.print(f"{self._slug}: {progress.line()}", markup=False)


def _record(services: "Services", reports: "list[IndexReport]") -> None:
    """Record what was done in Dagster. It has happened, so that a storage that is away costs a warning."""
    with working(translate("opening Dagster's storage")):
        from ..defs.runtime.instance import open_instance
        from ..defs.vector_index_asset import record_index
    try:
        with open_instance(services) as instance:
            record_index(instance, reports)
    except VectorAssetsError as error:
        print_warning(str(error))
