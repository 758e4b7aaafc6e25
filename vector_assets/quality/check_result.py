"""What a check found for one partition."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is that a check does not pass."""

    ERROR = "error"
    WARNING = "warning"


Row = Mapping[str, str | int | float]
Figure = int | float | str | tuple[Row, ...]
"""A number is plotted over time; a text, such as a limit, is not; rows are a small table."""


@dataclass(frozen=True)
class CheckResult:
    """Whether a check passed, one or two sentences with the fix, and the figures behind them.

    The severity applies when the check did not pass.
    """

    passed: bool
    description: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    severity: Severity = Severity.ERROR


def limit_figure(value: float) -> str:
    """Write a limit as text, because it is no figure to plot."""
    return f"{value:g}"
