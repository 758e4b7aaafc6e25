"""What Dagster's runs say of the partitions: which have a run under way, which failed, and which were canceled."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property

import dagster as dg

from ..domain.failure_backoff import FIRST_REST, LONGEST_REST, is_resting
from .runtime.run_processes import has_lost_its_process, lives_elsewhere
from .runtime.tags import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# Materializations read at a time.
_PAGE = 1000


class Runs:
    """Reads the runs of an instance, and ends those whose process is gone.

    Args:
        instance: whose runs they are.
        order: all partitions in Dagster's order, since a run over a range names only its first and its last.
    """

    def __init__(self, instance: dg.DagsterInstance, order: Sequence[str] = ()) -> None:
        self._instance = instance
        self._order = order

    def partitions_under_way(self) -> set[str]:
        """List the partitions with a run that is queued, starting or at work."""
        runs = self._instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
        return {partition for run in runs for partition in self._partitions(run)}

    def under_way(self, job: str) -> int:
        """Count the runs of the job that are queued, starting or at work."""
        return self._instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=_UNDER_WAY))

    def queued(self, job: str) -> int:
        """Count the runs of the job that wait for their turn."""
        return self._instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.QUEUED]))

    def partitions_resting(self, asset_key: dg.AssetKey, job: str, now: datetime) -> set[str]:
        """List the partitions whose last runs for the asset, by the job or from its page, failed too recently.

        A run whose end lies in the future does not count: the clock was set back. Nor does a canceled one, which holds
        for longer, and ends when a text changes.
        """
        since = now - 2 * LONGEST_REST
        failures = self._ends([dg.DagsterRunStatus.FAILURE], asset_key, job, since, now)
        materialized = self._last_materializations(asset_key, since, list(failures))
        resting = set()
        for partition, ends in failures.items():
            at, by_run = materialized.get(partition, (0.0, ""))
            if is_resting([end for end, run_id in ends if end > at and run_id != by_run], now):
                resting.add(partition)
        return resting

    def partitions_canceled(
        self, asset_key: dg.AssetKey, job: str, changed: Mapping[str, datetime], now: datetime
    ) -> set[str]:
        """List those of the partitions whose last run for the asset was canceled after they last changed.

        Only a person cancels: a run whose process is stopped ends as failed. Runs that ended in the future do not
        count, as above.
        """
        if not changed:
            return set()
        ends = self._ends([dg.DagsterRunStatus.CANCELED], asset_key, job, min(changed.values()), now)
        canceled = {key: max(at)[0] for key, at in ends.items() if key in changed}
        canceled = {key: at for key, at in canceled.items() if at > changed[key].timestamp()}
        if not canceled:
            return set()
        since = datetime.fromtimestamp(min(canceled.values()), UTC)
        failed = self._ends([dg.DagsterRunStatus.FAILURE], asset_key, job, since, now, _PAGE)
        done = self._last_materializations(asset_key, since, list(canceled))
        return {
            key
            for key, at in canceled.items()
            if at >= max(done.get(key, (0.0, ""))[0], max(failed.get(key, [(0.0, "")]))[0])
        }

    def _ends(
        self,
        statuses: list[dg.DagsterRunStatus],
        asset_key: dg.AssetKey,
        job: str,
        since: datetime,
        now: datetime,
        limit: int | None = None,
    ) -> dict[str, list[tuple[float, str]]]:
        """List per partition when its runs ended in one of these ways, and which runs: at most so many, the newest."""
        # Other machines' clocks may be a little ahead, and a run may have ended since the caller read the clock.
        latest = (now + FIRST_REST).timestamp()
        ends: dict[str, list[tuple[float, str]]] = {}
        chosen = dg.RunsFilter(statuses=statuses, updated_after=since)
        for record in self._instance.get_run_records(chosen, limit):
            run = record.dagster_run
            ended = record.end_time or record.update_timestamp.timestamp()
            if ended <= latest and _is_about(run, asset_key, job):
                for partition in self._partitions(run):
                    ends.setdefault(partition, []).append((ended, run.run_id))
        return ends

    def _last_materializations(
        self, asset_key: dg.AssetKey, since: datetime, partitions: list[str]
    ) -> dict[str, tuple[float, str]]:
        """Read when each partition was last materialized, and by which run: one over a range may fail after that."""
        found: dict[str, tuple[float, str]] = {}
        cursor, more = None, bool(partitions)
        recent = dg.AssetRecordsFilter(asset_key, asset_partitions=partitions, after_timestamp=since.timestamp())
        while more:
            page = self._instance.fetch_materializations(recent, limit=_PAGE, cursor=cursor, ascending=True)
            found |= {record.partition_key or "": (record.timestamp, record.run_id) for record in page.records}
            cursor, more = page.cursor, page.has_more
        return found

    def _partitions(self, run: dg.DagsterRun) -> Sequence[str]:
        """List the partitions that the run is about."""
        first, last = run.tags.get(RANGE_START_TAG), run.tags.get(RANGE_END_TAG)
        if first is None or last is None:
            return [run.tags[PARTITION_TAG]] if PARTITION_TAG in run.tags else []
        if first not in self._position or last not in self._position:  # somebody deleted it
            return [first, last]
        return self._order[self._position[first] : self._position[last] + 1]

    @cached_property
    def _position(self) -> dict[str, int]:
        return {key: number for number, key in enumerate(self._order)}

    def end_orphans(self, silent_runs: Collection[str] = ()) -> None:
        """Mark runs whose process was killed as failed, so that their partitions are free again.

        So are the `silent_runs`, which have an expired lease, unless they are on this machine: a process that is
        stopped here may go on, and after a sleep of the machine all leases have expired. Runs that wait have no lease.
        """
        for run in self._instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            if has_lost_its_process(run):
                self._instance.report_run_failed(run, "The process of this run was killed.")
            elif run.run_id in silent_runs and lives_elsewhere(run):
                self._instance.report_run_failed(run, "The node of this run has given no sign of life.")


def _is_about(run: dg.DagsterRun, asset_key: dg.AssetKey, job: str) -> bool:
    return asset_key in run.asset_selection if run.asset_selection else run.job_name == job
