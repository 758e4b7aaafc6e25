"""The walls that import-linter cannot see."""

import subprocess
import sys

import pytest

HEAVY = (
    "PIL",
    "alembic",
    "dagster",
    "matplotlib",
    "numpy",
    "openvino",
    "psycopg",
    "pydantic",
    "pypdfium2",
    "rich",
    "sentence_transformers",
    "sqlalchemy",
    "tokenizers",
    "torch",
    "transformers",
)


def loaded_by(statement: str) -> set[str]:
    """Which of the heavy libraries a fresh Python has loaded after the statement."""
    code = f"import sys; {statement}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(printed.splitlines()[-1].split())


@pytest.mark.parametrize("module", ["vector_assets.vectorizer", "vector_assets.ports"])
def test_the_pure_rooms_load_nothing_heavy(module: str) -> None:
    """Not even indirectly."""
    assert loaded_by(f"import {module}") <= {"numpy"}


def test_help_loads_nothing_heavy() -> None:
    """No command is imported before it is named."""
    help_shown = "from vector_assets.cli import main; main(['--help'], standalone_mode=False)"

    assert loaded_by(help_shown) == set()


def test_the_wiring_loads_neither_dagster_nor_torch() -> None:
    """`vector-assets status` answers without either."""
    assert loaded_by("import vector_assets.services") <= {"numpy", "psycopg", "pydantic", "sqlalchemy"}


def test_the_definitions_load_neither_torch_nor_what_draws_or_reads() -> None:
    """Dagster's code server stays small; the model comes with the first embedded text."""
    late = {"torch", "sentence_transformers", "transformers", "pypdfium2", "matplotlib", "PIL"}

    assert not late & loaded_by("import vector_assets.definitions")
