"""The one room that knows Dagster: partitions, assets, jobs, sensors, and runs in this process."""
