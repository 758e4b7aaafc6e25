"""What the terminal shows of long work."""

import logging
import re
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from vector_assets.cli import coverage_table, progress_bars
from vector_assets.cli.bar_layout import Layout
from vector_assets.cli.coverage_table import print_coverage
from vector_assets.cli.launched_bars import LaunchedBars
from vector_assets.cli.progress_bars import PartitionsProgress
from vector_assets.cli.terminal import log_printed
from vector_assets.domain.coverage import GroupBy, LastRun, PartitionStatus, grouped
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.domain.runs_at_work import RunAtWork
from vector_assets.estimates.backfill_time_left import BackfillTimeLeft
from vector_assets.estimates.launched_backfill import LaunchedBackfill
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
    monkeypatch.setattr(progress_bars, "LINE_SECONDS", 0.0)
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

    with PartitionsProgress([KEY]) as progress:
        progress.begin(KEY)
        progress.batch(KEY, batch)

    beside = " · ".join(Layout.WIDE.items(batch))  # without the percent, which the bar shows
    assert (beside if is_terminal else batch.line()) in shown.getvalue()
    assert batch.details() in shown.getvalue()


AT_WORK = RunAtWork("a1", "us/annual_report/XA", 30, 60, 12.0, "batch 2/4 · 30/60 chunks (50.0%)")


def launched(*runs: RunAtWork) -> LaunchedBackfill:
    """A backfill of two partitions of which one is done, seconds after its first chunks."""
    seconds = iter([0.0, 10.0])
    backfill = LaunchedBackfill({"us/annual_report/XA": 60, "us/annual_report/XB": 40}, clock=lambda: next(seconds))
    backfill.update({"us/annual_report/XB"}, set(), [])
    backfill.update({"us/annual_report/XB"}, set(), runs)
    return backfill


def test_a_launched_backfill_shows_the_whole_and_each_run() -> None:
    """What is printed where no bar can be drawn: the same line is not printed twice."""
    shown = StringIO()

    with LaunchedBars(2, Console(file=shown, width=200)) as bars:
        bars.update(1, 0, launched(AT_WORK))
        bars.update(1, 0, launched(AT_WORK))

    assert shown.getvalue().splitlines() == [
        "  70/100 chunks (70.0%) · 1/2 partitions · 12 chunks/s · 10 s left",
        "  us/annual_report/XA  batch 2/4 · 30/60 chunks (50.0%)",
    ]


@pytest.mark.parametrize("columns", [120, 80, 50])
def test_the_bar_of_a_launched_backfill_fits_the_terminal(columns: int) -> None:
    """The percent, the time left and the stock code of each run stay."""
    shown = StringIO()

    with LaunchedBars(2, Console(file=shown, force_terminal=True, width=columns, color_system=None)) as bars:
        bars.update(1, 0, launched(AT_WORK))

    drawn = [_CONTROL.sub("", line) for line in shown.getvalue().replace("\r", "\n").split("\n")]
    assert any("70%" in line and "10 s left" in line for line in drawn)
    assert any("XA" in line for line in drawn)
    assert max(map(cell_len, drawn)) <= columns


@pytest.mark.parametrize("columns", [120, 80, 50])
def test_the_bars_fit_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stock code, the percent and the time left stay, however narrow it is."""
    shown = StringIO()
    monkeypatch.setattr(
        progress_bars, "err", Console(file=shown, force_terminal=True, width=columns, color_system=None)
    )
    batch = BatchProgress(2, 5, 32, 64, 160, 64, 0, 0, 9, 9, 0, 0, 4.0, 2.0, 9.0, 6.0, 1.2, ())

    with PartitionsProgress([KEY] * 3, BackfillTimeLeft({KEY: 160})) as progress:
        progress.begin(KEY)
        progress.batch(KEY, batch)

    drawn = shown.getvalue().replace("\r", "\n").split("\n")
    last = [line for line in drawn if "6 s left" in line][-1]
    assert KEY.stock_code in last
    assert "40%" in last
    assert max(cell_len(_CONTROL.sub("", line)) for line in drawn) <= columns


_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

_RUN = LastRun("run", datetime.now(UTC), 1_234_567, 9, 1.0)
_STATUSES = [
    PartitionStatus(PartitionKey("us", "annual_report", "AAPL"), 1_234_567, 0, 0, None, _RUN),
    PartitionStatus(PartitionKey("hk", "announcement", "00700"), 3, 2, 1, datetime(2024, 1, 1, tzinfo=UTC), None),
]


def coverage_shown(monkeypatch: pytest.MonkeyPatch, columns: int, is_terminal: bool) -> list[str]:
    """Print the coverage, without colours; give the lines."""
    shown = StringIO()
    console = Console(file=shown, width=columns, force_terminal=is_terminal, color_system=None, soft_wrap=True)
    monkeypatch.setattr(coverage_table, "out", console)
    print_coverage(grouped(_STATUSES, GroupBy.PARTITION))
    return [line for line in _CONTROL.sub("", shown.getvalue()).splitlines() if line.strip()]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [140, 80, 60])
def test_the_columns_of_the_coverage_are_straight(columns: int, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line takes as many cells, no more than there are; no number is shortened."""
    use_language(language)

    lines = coverage_shown(monkeypatch, columns, is_terminal=True)

    assert len({cell_len(line) for line in lines}) == 1
    assert cell_len(lines[0]) <= columns
    assert {"1,234,567", "100%", "0%", "us/annual_report/AAPL"} <= set(" ".join(lines).split())


def test_below_sixty_columns_a_partition_takes_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key, and its figures; what is 0 is left out."""
    assert coverage_shown(monkeypatch, 50, is_terminal=True) == [
        "hk/announcement/00700",
        "  0/3 (0%) · 2 pending · 1 quarantined",
        "us/annual_report/AAPL",
        "  1,234,567/1,234,567 (100%)",
        "2 partitions",
        "  1,234,567/1,234,570 (99.9%) · 2 pending · 1 quarantined",
    ]


def test_what_is_piped_has_all_columns_and_no_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever width the terminal behind the pipe has."""
    lines = coverage_shown(monkeypatch, 40, is_terminal=False)

    assert [line for line in lines if line != line.rstrip()] == []
    assert len(lines[0].split("  ")) >= 9
