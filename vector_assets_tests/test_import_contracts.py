"""The walls that import-linter cannot see."""

import subprocess
import sys

import pytest

HEAVY = ("dagster", "torch", "sentence_transformers", "transformers", "openvino", "sqlalchemy", "psycopg", "pypdfium2")


def loaded_by(statement: str) -> set[str]:
    """Which of the heavy libraries a fresh Python has loaded after the statement."""
    code = f"import sys; {statement}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    "module", ["vector_assets", "vector_assets.vectorizer", "vector_assets.ports", "vector_assets.cli"]
)
def test_the_pure_rooms_load_nothing_heavy(module: str) -> None:
    """Not even indirectly."""
    assert loaded_by(f"import {module}") == set()


def test_the_wiring_loads_neither_dagster_nor_torch() -> None:
    """`vector-assets status` answers without either."""
    assert loaded_by("import vector_assets.services") <= {"sqlalchemy", "psycopg"}


def test_the_definitions_load_no_torch() -> None:
    """Dagster's code server stays small; the model comes with the first embedded text."""
    assert not {"torch", "sentence_transformers", "transformers", "pypdfium2"} & loaded_by(
        "import vector_assets.definitions"
    )
