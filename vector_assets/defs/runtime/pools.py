"""How many runs of a pool Dagster starts at once."""

import dagster as dg


def pool_limit(instance: dg.DagsterInstance, pool: str) -> int:
    """Read the pool's limit: its own, or else that of all pools."""
    limits = {found.name: found.limit for found in instance.event_log_storage.get_pool_limits()}
    return limits.get(pool, instance.global_op_concurrency_default_limit or 1)
