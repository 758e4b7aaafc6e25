"""Limit what a command may use: tokens, money, time."""

import uuid
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import click

_OPTIONS = (
    ("--max-tokens", click.IntRange(min=1), "Stop before more tokens than this are used."),
    ("--max-cost", click.FloatRange(min=0, min_open=True), "Stop before this sum, in the currency of the price."),
    ("--deadline", None, "Stop at this time, e.g. 06:00 or 2026-12-01T06:00."),
)


def budget_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which gets them as one `budget`: entries of the run config."""

    @wraps(command)
    def with_budget(
        *args: Any, max_tokens: int | None, max_cost: float | None, deadline: str | None, **options: Any
    ) -> Any:
        given = {"max_tokens": max_tokens, "max_cost": max_cost, "deadline": deadline}
        budget: Mapping[str, Any] = {name: value for name, value in given.items() if value is not None}
        if budget:  # all runs of the command share it
            budget = {**budget, "budget": f"backfill {uuid.uuid4().hex[:12]}"}
        return command(*args, budget=budget, **options)

    decorated: Callable[..., Any] = with_budget
    for option, kind, text in reversed(_OPTIONS):
        decorated = click.option(option, type=kind, help=text)(decorated)
    return decorated
