"""Settings come from their own variables and from nothing else."""

from pathlib import Path

import pytest

from vector_assets.errors import InvalidSetting
from vector_assets.settings import load_settings


def test_defaults_lie_under_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOME, which everybody has, is not taken for the product's home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VECTOR_ASSETS_HOME", raising=False)
    monkeypatch.setenv("HOME", "/somewhere/else")

    assert load_settings().home == tmp_path / ".vector_assets"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EMBEDDING_BATCH_SIZE", "-1"),
        ("EMBEDDING_BATCH_SIZE", "many"),
        ("EMBEDDING_DEVICE", "abacus"),
        ("VECTOR_ASSETS_CHUNK_TOKENS", "0"),
        ("EMBEDDING_MODEL", ""),
        ("VECTOR_ASSETS_MAX_FAILED_FRACTION", "5"),
        ("VECTOR_ASSETS_MAX_FAILED_FRACTION", "nan"),
        ("VECTOR_ASSETS_MAX_UNKNOWN_SHARE", "half"),
        ("VECTOR_ASSETS_MIN_DRIFT_COSINE", "1.01"),
        ("VECTOR_ASSETS_MAX_LOST_SHARE", "-0.1"),
    ],
)
def test_a_bad_value_is_one_line_with_the_variable(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 11."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(InvalidSetting, match=variable) as caught:
        load_settings()

    assert "\n" not in str(caught.value)


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the settings' text nor in their repr."""
    monkeypatch.setenv("VECTOR_ASSETS_DATABASE_URL", "postgresql://me:topsecret@localhost/db")

    settings = load_settings()

    assert "topsecret" not in f"{settings!r} {settings}"
