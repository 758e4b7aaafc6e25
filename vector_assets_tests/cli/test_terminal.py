"""What the terminal shows of long work."""

import logging
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from vector_assets.cli import coverage_table, progress_bars
from vector_assets.cli.coverage_table import print_coverage
from vector_assets.cli.progress_bars import BackfillBar, PartitionsProgress
from vector_assets.cli.terminal import log_printed
from vector_assets.domain.coverage import GroupBy, LastRun, PartitionStatus, grouped
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.translation import use_language

from ..fakes import KEY


def test_the_log_of_a_library_is_printed_for_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    """INFO only, square brackets as they are; afterwards the logger is as it was."""
    logger = logging.getLogger("vector_assets.test_terminal")
    with log_printed(logger.name):
        logger.info("converting %s, once", "a [red] model")
        logger.debug("details")
    logger.info("nobody reads this")

    assert capsys.readouterr().err == "converting a [red] model, once\n"
    assert logger.handlers == []
    assert logger.level == logging.NOTSET


def shown_by(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> StringIO:
    """What the bars print from now on, at once."""
    shown = StringIO()
    console = Console(file=shown, force_terminal=is_terminal, width=200, soft_wrap=True)
    monkeypatch.setattr(progress_bars, "err", console)
    monkeypatch.setattr(progress_bars, "_LINE_SECONDS", 0.0)
    return shown


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_bar_and_the_lines_have_all_figures(
    is_terminal: bool, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal below the bar; elsewhere in the line that comes now and then."""
    use_language(language)
    shown = shown_by(monkeypatch, is_terminal)
    counts = {"vectorized_count": 62, "superseded_count": 0, "failed_count": 2, "truncated_chunks": 12}
    tokens = {"tokens": 9000, "tokens_embedded": 8000, "unknown_tokens": 2400}
    left = {"recent_seconds_a_batch": 2.0, "recent_tokens_per_second": 1500.0, "seconds_left": 6.0}
    batch = BatchProgress(
        2, 5, 32, 64, 160, **counts, **tokens, **left, elapsed_seconds=4.0, seconds_left_spread=1.2, batch_chunks=()
    )

    with PartitionsProgress(1) as progress:
        progress.begin(KEY)
        progress.batch(KEY, batch)

    assert batch.line() in shown.getvalue()
    assert batch.details() in shown.getvalue()


def test_a_launched_backfill_prints_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same figures are not printed a second time."""
    shown = shown_by(monkeypatch, is_terminal=False)

    with BackfillBar(4) as bar:
        bar.update(done=1, failed=0, pending=9)
        bar.update(done=1, failed=0, pending=9)
        bar.update(done=2, failed=1, pending=1)

    assert shown.getvalue().splitlines() == [
        "  1/4 partitions done · 0 failed · 9 chunks pending",
        "  2/4 partitions done · 1 failed · 1 chunk pending",
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_columns_of_the_coverage_are_straight(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line takes as many cells of the terminal, and no number is shortened in a narrow one."""
    use_language(language)
    shown = StringIO()
    monkeypatch.setattr(coverage_table, "out", Console(file=shown, width=20, soft_wrap=True))
    run = LastRun("run", datetime.now(UTC), 1_234_567, 9, 1.0)
    statuses = [
        PartitionStatus(PartitionKey("us", "annual_report", "AAPL"), 1_234_567, 0, 0, None, run),
        PartitionStatus(PartitionKey("hk", "announcement", "00700"), 3, 2, 1, datetime(2024, 1, 1, tzinfo=UTC), None),
    ]

    print_coverage(grouped(statuses, GroupBy.PARTITION))

    lines = [line for line in shown.getvalue().splitlines() if line]
    assert len({cell_len(line) for line in lines}) == 1
    assert {"1,234,567", "100%", "0%"} <= set(shown.getvalue().split())
