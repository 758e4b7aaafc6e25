"""Settings come from their own variables and from nothing else."""

from dataclasses import fields
from pathlib import Path

import pytest

from vector_assets.errors import InvalidSetting
from vector_assets.quality.limits import QualityLimits
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
        ("VECTOR_ASSETS_MAX_FAILED_FRACTION", "5"),
        ("VECTOR_ASSETS_MAX_FAILED_FRACTION", "nan"),
        ("VECTOR_ASSETS_QUALITY_LIMITS", "half"),
    ],
)
def test_a_bad_value_is_one_line_with_the_variable(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 11."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(InvalidSetting, match=variable) as caught:
        load_settings()

    assert "\n" not in str(caught.value)


def test_a_blank_model_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process then works with the model that serves, or with the bundled one."""
    monkeypatch.setenv("EMBEDDING_MODEL", "")
    assert load_settings().embedding_model is None

    monkeypatch.delenv("EMBEDDING_MODEL")

    assert load_settings().embedding_model is None


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_that_came_along_are_no_part_of_a_value(
    quote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another home would be an empty one, which looks like total loss. In a prompt, quotes have a meaning."""
    monkeypatch.setenv("VECTOR_ASSETS_HOME", f" {quote}{tmp_path}{quote}\n")
    monkeypatch.setenv("EMBEDDING_MODEL", 2 * quote)
    monkeypatch.setenv("EMBEDDING_DEVICE", "CPU")
    monkeypatch.setenv("EMBEDDING_QUERY_PROMPT", f"{quote}q{quote} ")

    settings = load_settings()

    assert (settings.home, settings.embedding_model, settings.embedding_device) == (tmp_path, None, "cpu")
    assert settings.embedding_query_prompt == f"{quote}q{quote} "


def test_limits_of_checks_are_given_in_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that it does not name keep their defaults."""
    monkeypatch.setenv("VECTOR_ASSETS_QUALITY_LIMITS", '{"max_unknown_share": 0.1, "min_drift_cosine": 1}')

    limits = load_settings().quality_limits

    assert limits == QualityLimits(max_unknown_share=0.1, min_drift_cosine=1.0)


@pytest.mark.parametrize(
    ("value", "culprit"),
    [
        ('{"max_unkown_share": 0.1}', "max_unkown_share"),
        ('{"max_unknown_share": "half"}', "max_unknown_share"),
        ('{"max_unknown_share": true}', "max_unknown_share"),
        ('{"max_unknown_share": null}', "max_unknown_share"),
        ('{"max_unknown_share": NaN}', "max_unknown_share"),
        ('{"max_unknown_share": Infinity}', "max_unknown_share"),
        ('{"min_drift_cosine": 1.01}', "min_drift_cosine"),
        ('{"max_lost_share": -0.1}', "max_lost_share"),
        ('{"max_lost_share": 0.1', "json"),
        ("[0.1]", "JSON object"),
        ("0.1", "JSON object"),
    ],
)
def test_a_bad_limit_is_one_line_that_names_the_allowed_ones(
    value: str, culprit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line also says which name or value is wrong."""
    monkeypatch.setenv("VECTOR_ASSETS_QUALITY_LIMITS", value)

    with pytest.raises(InvalidSetting, match=f"(?i)^VECTOR_ASSETS_QUALITY_LIMITS: .*{culprit}") as caught:
        load_settings()

    assert "\n" not in str(caught.value)
    for limit in fields(QualityLimits):
        assert limit.name in str(caught.value)


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the settings' text nor in their repr."""
    monkeypatch.setenv("VECTOR_ASSETS_DATABASE_URL", "postgresql://me:topsecret@localhost/db")

    settings = load_settings()

    assert "topsecret" not in f"{settings!r} {settings}"
