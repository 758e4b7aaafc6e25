"""Checks as pure functions: one that raises costs its own result only."""

from dataclasses import dataclass

import pytest

from vector_assets.quality.check_result import CheckResult, Severity
from vector_assets.quality.check_runner import Check, NotGathered, gathered, not_checked, run_checks


@dataclass(frozen=True)
class Facts:
    figure: int | NotGathered


def positive(facts: Facts) -> CheckResult:
    figure = gathered(facts.figure)
    return CheckResult(figure > 0, f"The figure is {figure}.", {"figure": figure})


CHECKS = (
    Check("positive", "The figure is positive.", positive),
    Check("always", "Nothing is wrong.", lambda _: CheckResult(True, "Nothing is wrong.")),
)


def test_each_check_has_its_result() -> None:
    """In the order of the checks."""
    results = run_checks(CHECKS, Facts(-1))

    assert [(name, result.passed, result.severity) for name, result in results] == [
        ("positive", False, Severity.ERROR),
        ("always", True, Severity.ERROR),
    ]


@pytest.mark.parametrize("error", [OSError("the server is gone"), OSError("the server is gone\n" + 1000 * "!")])
def test_a_fact_that_is_missing_is_a_warning_of_its_check(error: Exception) -> None:
    """One line with the error; the other check is not concerned."""
    results = dict(run_checks(CHECKS, Facts(NotGathered(error))))

    assert (results["positive"].passed, results["positive"].severity) == (False, Severity.WARNING)
    assert "OSError: the server is gone" in results["positive"].description
    assert "\n" not in results["positive"].description
    assert len(results["positive"].description) <= 300
    assert results["always"].passed


def test_a_judge_that_raises_is_a_warning() -> None:
    """The partition may be good or bad: the check says that it does not know."""
    broken = Check("broken", "It raises.", lambda _: CheckResult(1 / 0 > 0, ""))

    ((name, result),) = run_checks([broken], Facts(1))

    assert (name, result.passed, result.severity) == ("broken", False, Severity.WARNING)
    assert "ZeroDivisionError" in result.description


def test_where_no_fact_could_be_gathered_each_check_is_a_warning() -> None:
    """With the same error."""
    results = not_checked(CHECKS, OSError("the server is gone"))

    assert [(name, result.passed, result.severity) for name, result in results] == [
        ("positive", False, Severity.WARNING),
        ("always", False, Severity.WARNING),
    ]
