"""What Dagster's runs say of the partitions: which are at work, which failed lately, which have lost their process."""

import json
import os
import socket
from datetime import datetime, timedelta

import dagster as dg
import psutil
from dagster._core.storage.tags import PARTITION_NAME_TAG

# Every run carries the process it lives in: where that is killed together with what launched it, nobody else notices.
PROCESS_TAG = "vector_assets/process"

# After a failure a partition waits so long, then twice as long after each further one, up to the longest gap.
_FIRST_GAP = timedelta(minutes=1)
_LONGEST_GAP = timedelta(hours=1)
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def signature(run_id: str) -> dict[str, str]:
    """The tag that says that the run lives in this process.

    It names the process among all of all machines, also after its number was given to another; and the run, for a run
    that is executed again begins with the tags of the former one.
    """
    process = [socket.gethostname(), os.getpid(), _began(psutil.Process())]
    return {PROCESS_TAG: json.dumps([*process, run_id])}


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
    host, pid, began, run_id = json.loads(run.tags[PROCESS_TAG])
    if host != socket.gethostname() or run_id != run.run_id:
        return False
    try:
        process = psutil.Process(pid)
        # One that has ended is listed until its parent takes note, which the first process of a container may never do.
        return bool(_began(process) != began or process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


class Runs:
    """Reads, and where a process is gone ends, the runs of an instance."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def partitions_under_way(self) -> set[str]:
        """Partitions with a run that is queued, starting or at work."""
        runs = self._instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
        return {run.tags[PARTITION_NAME_TAG] for run in runs if PARTITION_NAME_TAG in run.tags}

    def partitions_resting(self, asset_key: dg.AssetKey, job: str, now: datetime) -> set[str]:
        """Partitions whose last runs for the asset, by the job or from its page, ended badly not long enough ago.

        A run that ended later than in a moment does not count: the clock was set back.
        """
        lately = dg.RunsFilter(statuses=_ENDED_BADLY, updated_after=now - 2 * _LONGEST_GAP)
        # Other machines' clocks may be a little ahead, and a run may have ended since the caller looked at its own.
        latest = (now + _FIRST_GAP).timestamp()
        failures: dict[str, list[float]] = {}
        for record in self._instance.get_run_records(lately):
            partition = record.dagster_run.tags.get(PARTITION_NAME_TAG)
            ended = record.end_time or record.update_timestamp.timestamp()
            if partition and ended <= latest and _is_about(record.dagster_run, asset_key, job):
                failures.setdefault(partition, []).append(ended)
        return {
            partition
            for partition, ends in failures.items()
            if now.timestamp() < max(ends) + _gap(len(ends)).total_seconds() and self._last_ended_badly(partition)
        }

    def end_orphans(self) -> None:
        """Mark runs as failed whose process was killed, so that their partitions are free again."""
        for run in self._instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            if has_lost_its_process(run):
                self._instance.report_run_failed(run, "The process of this run was killed.")

    def _last_ended_badly(self, partition: str) -> bool:
        newest = self._instance.get_runs(dg.RunsFilter(tags={PARTITION_NAME_TAG: partition}), limit=1)
        return bool(newest) and newest[0].status in _ENDED_BADLY


def _gap(failures: int) -> timedelta:
    return min(_FIRST_GAP * (1 << min(failures - 1, 10)), _LONGEST_GAP)


def _is_about(run: dg.DagsterRun, asset_key: dg.AssetKey, job: str) -> bool:
    return asset_key in run.asset_selection if run.asset_selection else run.job_name == job
