"""Every estimate of time: what a run and a backfill have left, what a backfill will take, and how right they were."""
