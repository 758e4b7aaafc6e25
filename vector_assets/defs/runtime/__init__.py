"""Dagster's instance, storage connections, runs in this process and backfills."""
