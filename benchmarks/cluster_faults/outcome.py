"""What must hold after a fault, read from the tables of the product and of Dagster."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.services import Services

# A chunk is lost if it is in no queue and its table has no vector of its text.
_LOST = """
SELECT count(*) FROM document_chunks c LEFT JOIN {vectors} v ON v.chunk_id = c.id AND v.content_hash = c.content_hash
WHERE v.chunk_id IS NULL
  AND NOT EXISTS (SELECT FROM pending_chunks p WHERE p.chunk_id = c.id AND p.space = %(space)s)
"""
_DOUBLED = "SELECT count(*) FROM (SELECT FROM {vectors} GROUP BY chunk_id HAVING count(*) > 1) doubled"
_STALE = """
SELECT count(*) FROM {vectors} v JOIN document_chunks c ON c.id = v.chunk_id
WHERE v.content_hash <> c.content_hash
  AND NOT EXISTS (SELECT FROM pending_chunks p WHERE p.chunk_id = c.id AND p.space = %(space)s)
"""
_LAST_STORED = "SELECT run_id, extract(epoch FROM max(created_at))::float8 FROM {vectors} GROUP BY run_id"

# A lease is looked at in the statement that stores; Dagster's record of a run's end is made before it is taken away.
_TAKING_SECONDS = 20.0


@dataclass(frozen=True)
class Outcome:
    """What was found: numbers of chunks, and of runs."""

    pending: int
    lost: int
    doubled: int
    stale: int
    green_unfinished: int
    stored_after_end: int
    statuses: dict[str, int]

    @property
    def holds(self) -> bool:
        """Say whether nothing is lost, doubled or stale, and whether no run says that it did what it did not do."""
        broken = (self.lost, self.doubled, self.stale, self.green_unfinished, self.stored_after_end)
        return not any(broken)

    def line(self) -> str:
        """Format it."""
        runs = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.pending} pending, {self.lost} lost, {self.doubled} doubled, {self.stale} stale; runs: {runs}; "
            f"green and unfinished: {self.green_unfinished}; stored after their end: {self.stored_after_end}"
        )


def embedding_runs(instance: dg.DagsterInstance) -> Sequence[dg.RunRecord]:
    """List the runs that embed, the newest first."""
    return [record for record in instance.get_run_records(limit=500) if "vectorize" in record.dagster_run.job_name]


def outcome(services: Services, instance: dg.DagsterInstance, since: float) -> Outcome:
    """Look at all vectors, and at the runs that were requested since a time."""
    space = services.spaces.serving()
    assert space is not None
    vectors = f"chunk_vectors_{space.slug}"
    with services.database.transaction() as connection:

        def count(query: str) -> int:
            row = connection.execute(query.format(vectors=vectors), {"space": space.slug}).fetchone()
            return int(row[0]) if row else 0

        lost, doubled, stale = count(_LOST), count(_DOUBLED), count(_STALE)
        last_stored = dict(connection.execute(_LAST_STORED.format(vectors=vectors)).fetchall())
    runs = [record for record in embedding_runs(instance) if record.create_timestamp.timestamp() >= since]
    late = [
        record
        for record in runs
        if record.end_time and last_stored.get(record.dagster_run.run_id, 0.0) > record.end_time + _TAKING_SECONDS
    ]
    green = [record.dagster_run for record in runs if record.dagster_run.status == dg.DagsterRunStatus.SUCCESS]
    return Outcome(
        pending=sum(status.pending for status in services.status()),
        lost=lost,
        doubled=doubled,
        stale=stale,
        green_unfinished=sum(not _is_finished(instance, run) for run in green),
        stored_after_end=len(late),
        statuses=dict(Counter(record.dagster_run.status.value for record in runs)),
    )


def _is_finished(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Say whether the run has materialized its partition."""
    records = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    made = {record.partition_key for record in records if record.asset_key == VECTORIZED_CHUNKS}
    return run.tags.get("dagster/partition") in made
