"""Dagster's instance, storage connections, in-process runs and backfills: every use of Dagster's private API."""
