"""Checks: a name, a description and a judge, which is a pure function of facts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..domain.wording import readable_line
from ..translation import translate
from .check_result import CheckResult, Severity

logger = logging.getLogger(__name__)

Facts = TypeVar("Facts")
Value = TypeVar("Value")

CheckResults = tuple[tuple[str, CheckResult], ...]
"""Names of checks with their results."""

_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Check(Generic[Facts]):
    """One check of a partition. The name is public: Dagster stores results under it."""

    name: str
    description: str
    judge: Callable[[Facts], CheckResult]


@dataclass(frozen=True)
class NotGathered:
    """Stands in the place of a fact that could not be gathered."""

    error: Exception


def gathered(fact: Value | NotGathered) -> Value:
    """Return the fact.

    Raises:
        Exception: the error that kept it from being gathered.
    """
    if isinstance(fact, NotGathered):
        raise fact.error
    return fact


def run_checks(checks: Sequence[Check[Facts]], facts: Facts) -> CheckResults:
    """Judge the facts by each check. A judge that raises gives a warning, so that the other results are not lost."""
    return tuple((check.name, _result(check, facts)) for check in checks)


def not_checked(checks: Sequence[Check[Facts]], error: Exception) -> CheckResults:
    """Give each check a warning with the error that kept all facts from being gathered."""
    return tuple((check.name, _not_checked(error)) for check in checks)


def _result(check: Check[Facts], facts: Facts) -> CheckResult:
    try:
        return check.judge(facts)
    except Exception as error:
        logger.warning(translate("the check {check} failed", check=check.name), exc_info=error)
        return _not_checked(error)


def _not_checked(error: Exception) -> CheckResult:
    """A check without a result would not be missed by anybody, so it is shown as a warning."""
    description = translate(
        "This check could not run, so nothing is known about the partition. {error_class}: {error}",
        error_class=type(error).__name__,
        error=error,
    )
    return CheckResult(False, readable_line(description, _SHOWN_CHARACTERS), severity=Severity.WARNING)
