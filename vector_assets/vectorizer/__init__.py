"""The loop: plan, read, embed, inspect, commit, report. It knows no Dagster, no SQL and no torch."""

from .loop import WINDOW_BATCHES, ProgressCallback, Vectorizer

__all__ = ["WINDOW_BATCHES", "ProgressCallback", "Vectorizer"]
