"""What is said of long work."""

import logging
from io import StringIO

import pytest
from rich.console import Console

from vector_assets.cli import terminal
from vector_assets.cli.terminal import PartitionsProgress, saying
from vector_assets.domain.progress import BatchProgress

from ..fakes import KEY


def test_what_a_logger_says_is_printed_while_somebody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    """INFO only, square brackets as they are; afterwards the logger is as it was."""
    logger = logging.getLogger("vector_assets.test_terminal")
    with saying(logger.name):
        logger.info("converting %s, once", "a [red] model")
        logger.debug("details")
    logger.info("nobody listens")

    assert capsys.readouterr().err == "converting a [red] model, once\n"
    assert logger.handlers == []
    assert logger.level == logging.NOTSET


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_bar_and_the_lines_have_all_figures(is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal below the bar; elsewhere in the line that comes now and then."""
    shown = StringIO()
    monkeypatch.setattr(terminal, "err", Console(file=shown, force_terminal=is_terminal, width=200, soft_wrap=True))
    monkeypatch.setattr(terminal, "_LINE_SECONDS", 0.0)
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
