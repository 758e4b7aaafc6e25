"""The limits of checks refuse nonsense, and the document describes each."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import ValidationError

from vector_assets.quality.limits import QualityLimits

DOCUMENT = Path(__file__).parents[2] / "docs" / "quality.md"


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), "0.5", True, None])
def test_a_limit_is_a_number_from_0_to_1(value: object) -> None:
    """Wherever the limits are made."""
    with pytest.raises(ValidationError):
        QualityLimits(max_lost_share=value)


def test_limits_are_shown_as_they_are_given() -> None:
    """So that what `doctor` shows can be copied into the environment."""
    limits = QualityLimits(max_lost_share=0.5)

    assert QualityLimits.from_json(str(limits)) == limits


def test_the_document_has_each_limit_with_its_default() -> None:
    """In one table."""
    documented = re.findall(
        r"^\| `(\w+)` \| ([0-9.]+) \| [^|]+ \| [^|]+ \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )

    assert {name: float(default) for name, default in documented} == {
        limit.name: getattr(QualityLimits(), limit.name) for limit in fields(QualityLimits)
    }
