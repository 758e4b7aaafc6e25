"""What is said of long work."""

import logging

import pytest

from vector_assets.cli.terminal import saying


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
