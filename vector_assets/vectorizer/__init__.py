"""The loop: plan, read, embed, inspect, commit, report. It knows no Dagster, no SQL and no torch."""

from .loop import ProgressCallback, Vectorizer
from .run_budget import RunBudget
from .windows import WINDOW_BATCHES

__all__ = ["WINDOW_BATCHES", "ProgressCallback", "RunBudget", "Vectorizer"]
