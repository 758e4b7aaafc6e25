"""What is imported once and stays is not looked through for garbage."""

import atexit
import gc
import importlib

import pytest
from click.testing import CliRunner

import vector_assets.code_location
from vector_assets.cli import main


def test_a_command_looks_seldom_and_not_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own threshold would have it look hundreds of times while Dagster is imported."""
    at_the_end: list[object] = []
    monkeypatch.setattr(atexit, "register", at_the_end.append)
    gc.set_threshold(700)

    result = CliRunner().invoke(main, ["--help"])

    assert result.exit_code == 0
    assert gc.get_threshold()[0] == 10_000
    assert at_the_end == [gc.freeze]


def test_a_process_of_dagsters_leaves_out_what_it_has_imported() -> None:
    """As the code server and each run's process import it, which end sooner."""
    gc.unfreeze()

    importlib.reload(vector_assets.code_location)

    assert gc.get_freeze_count() > 100_000
