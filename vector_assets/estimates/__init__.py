"""Every estimate of time, each from what was measured before.

- How long has this run left? `time_left`, after each batch.
- How right were those estimates? `accuracy`, when the run has ended.
- How long will a backfill take? `backfill_plan`, before it begins.
- How long has the backfill left? `backfill_time_left`, while its partitions are processed.
"""
