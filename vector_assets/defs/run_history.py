"""What Dagster's runs say of the partitions: which are at work, which failed lately, which have lost their process."""

import json
import os
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import dagster as dg
import psutil
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    HIDDEN_TAG_PREFIX,
    PARTITION_NAME_TAG,
)

# Every run carries the process it lives in: where that is killed together with what launched it, nobody else notices.
PROCESS_TAG = f"{HIDDEN_TAG_PREFIX}vector_assets/process"

# After a failure a partition waits so long, then twice as long after each further one, up to the longest gap.
_FIRST_GAP = timedelta(minutes=1)
_LONGEST_GAP = timedelta(hours=1)
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# Materializations read at a time.
_PAGE = 1000
_ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def signature(run_id: str) -> dict[str, str]:
    """The tag that says that the run lives in this process.

    It names the process among all of all machines, also after its number was given to another; and the run, for a run
    that is executed again begins with the tags of the former one.
    """
    process = [_place(), os.getpid(), _began(psutil.Process())]
    return {PROCESS_TAG: json.dumps([*process, run_id])}


def _place() -> str:
    """Where process numbers mean the same: the machine, and the container, which may have its machine's name."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # Linux has them only
        return socket.gethostname()


def _began(process: psutil.Process) -> float:
    """Seconds from the system's start to the process's, which stay the same when somebody sets the clock."""
    return float(round(process.create_time() - psutil.boot_time(), 2))


def sign(instance: dg.DagsterInstance, run_id: str) -> None:
    """Tag a run with the process that it lives in."""
    instance.add_run_tags(run_id, signature(run_id))


def has_lost_its_process(run: dg.DagsterRun) -> bool:
    """Whether the run lived in a process on this machine that has ended."""
    if PROCESS_TAG not in run.tags:
        return False
    place, pid, began, run_id = json.loads(run.tags[PROCESS_TAG])
    if place != _place() or run_id != run.run_id:
        return False
    try:
        process = psutil.Process(pid)
        # One that has ended is listed until its parent takes note, which the first process of a container may never do.
        return bool(_began(process) != began or process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


class Runs:
    """Reads, and where a process is gone ends, the runs of an instance.

    Args:
        instance: whose runs they are.
        order: all partitions as Dagster has them, for a run over a range names only its first and its last.
    """

    def __init__(self, instance: dg.DagsterInstance, order: Sequence[str] = ()) -> None:
        self._instance = instance
        self._order = order

    def partitions_under_way(self) -> set[str]:
        """Partitions with a run that is queued, starting or at work."""
        runs = self._instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
        return {partition for run in runs for partition in self._partitions(run)}

    def queued(self, job: str) -> int:
        """How many runs of the job wait for their turn."""
        return self._instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.QUEUED]))

    def partitions_resting(self, asset_key: dg.AssetKey, job: str, now: datetime) -> set[str]:
        """Partitions whose last runs for the asset, by the job or from its page, ended badly not long enough ago.

        A run that ended later than in a moment does not count: the clock was set back.
        """
        since = now - 2 * _LONGEST_GAP
        failures = self._failures(asset_key, job, since, now)
        made = self._made(asset_key, since, list(failures))
        resting = set()
        for partition, ends in failures.items():
            at, by = made.get(partition, (0.0, ""))
            after = [end for end, run_id in ends if end > at and run_id != by]
            if after and now.timestamp() < max(after) + _gap(len(after)).total_seconds():
                resting.add(partition)
        return resting

    def _failures(
        self, asset_key: dg.AssetKey, job: str, since: datetime, now: datetime
    ) -> dict[str, list[tuple[float, str]]]:
        """Per partition when runs that were about it ended badly, and which."""
        # Other machines' clocks may be a little ahead, and a run may have ended since the caller looked at its own.
        latest = (now + _FIRST_GAP).timestamp()
        failures: dict[str, list[tuple[float, str]]] = {}
        for record in self._instance.get_run_records(dg.RunsFilter(statuses=_ENDED_BADLY, updated_after=since)):
            run = record.dagster_run
            ended = record.end_time or record.update_timestamp.timestamp()
            if ended <= latest and _is_about(run, asset_key, job):
                for partition in self._partitions(run):
                    failures.setdefault(partition, []).append((ended, run.run_id))
        return failures

    def _made(self, asset_key: dg.AssetKey, since: datetime, partitions: list[str]) -> dict[str, tuple[float, str]]:
        """When each of the partitions was last materialized, and by which run: one over a range may fail after that."""
        made: dict[str, tuple[float, str]] = {}
        cursor, more = None, bool(partitions)
        lately = dg.AssetRecordsFilter(asset_key, asset_partitions=partitions, after_timestamp=since.timestamp())
        while more:
            page = self._instance.fetch_materializations(lately, limit=_PAGE, cursor=cursor, ascending=True)
            made |= {record.partition_key or "": (record.timestamp, record.run_id) for record in page.records}
            cursor, more = page.cursor, page.has_more
        return made

    def _partitions(self, run: dg.DagsterRun) -> Sequence[str]:
        """What the run is about."""
        first, last = run.tags.get(ASSET_PARTITION_RANGE_START_TAG), run.tags.get(ASSET_PARTITION_RANGE_END_TAG)
        if first is None or last is None:
            return [run.tags[PARTITION_NAME_TAG]] if PARTITION_NAME_TAG in run.tags else []
        if first not in self._position or last not in self._position:  # somebody took it out
            return [first, last]
        return self._order[self._position[first] : self._position[last] + 1]

    @cached_property
    def _position(self) -> dict[str, int]:
        return {key: number for number, key in enumerate(self._order)}

    def end_orphans(self) -> None:
        """Mark runs as failed whose process was killed, so that their partitions are free again."""
        for run in self._instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            if has_lost_its_process(run):
                self._instance.report_run_failed(run, "The process of this run was killed.")


def _gap(failures: int) -> timedelta:
    return min(_FIRST_GAP * (1 << min(failures - 1, 10)), _LONGEST_GAP)


def _is_about(run: dg.DagsterRun, asset_key: dg.AssetKey, job: str) -> bool:
    return asset_key in run.asset_selection if run.asset_selection else run.job_name == job
