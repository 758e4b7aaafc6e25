"""Runs, and the processes that run them."""

from collections.abc import Sequence

from ..translation import ngettext, translate
from .family import VectorAssetsError


class TooManyFailures(VectorAssetsError):
    """The share of failed chunks of a run is above the limit. All vectors that were committed are kept."""

    def __init__(self, partition: str, failed: int, processed: int, limit: float) -> None:
        super().__init__(
            ngettext(
                "{failed:,} of {number:,} chunk failed ({share:.1%}); max_failed_fraction is {limit:g}. All other "
                "vectors are kept. See the errors with vector-assets failures {partition}, fix their cause, then run "
                "vector-assets retry-failed {partition}.",
                "{failed:,} of {number:,} chunks failed ({share:.1%}); max_failed_fraction is {limit:g}. All other "
                "vectors are kept. See the errors with vector-assets failures {partition}, fix their cause, then run "
                "vector-assets retry-failed {partition}.",
                processed,
                failed=failed,
                share=failed / processed,
                limit=limit,
                partition=partition,
            )
        )
        self.partition = partition


class PartitionsFailed(VectorAssetsError):
    """Some partitions of a run over a range failed; each has its reason. The others are done and stay done."""

    def __init__(self, reasons: Sequence[tuple[str, str]], tried: int, planned: int) -> None:
        named = "; ".join(f"{partition}: {reason}" for partition, reason in reasons[:3])
        more = f"; and {len(reasons) - 3:,} more" if len(reasons) > 3 else ""
        untried = f" {planned - tried:,} were not tried." if tried < planned else ""
        done = tried - len(reasons)
        super().__init__(
            f"{len(reasons):,} of {planned:,} partitions failed, {done:,} are done.{untried} {named}{more}"
        )


class EmptyRange(VectorAssetsError):
    """A run over a range of partitions contains none."""

    def __init__(self, start: str, end: str) -> None:
        super().__init__(
            f"there is no partition from {start} to {end}, because {end} comes first: a range follows the order in "
            "which the partitions were added. Swap the two, or choose the partitions one by one."
        )


class Interrupted(VectorAssetsError):
    """Somebody asked to stop, and the work stopped between two batches. `number` is the number of the signal."""

    def __init__(self, number: int, message: str | None = None) -> None:
        super().__init__(
            message or translate("stopped. What was committed is kept; run the same command again to continue.")
        )
        self.number = number


class RunCanceled(VectorAssetsError):
    """Somebody canceled the run. What was committed is kept.

    Args:
        partition: at which it was at work.
        committed: how many chunks of the partition the run has committed.
        total: how many it was to embed; 0: it had not come to that.
    """

    def __init__(self, partition: str = "", committed: int = 0, total: int = 0) -> None:
        if total:
            message = ngettext(
                "canceled: {committed:,} of {number:,} chunk of {partition} was committed and is kept; {pending:,} "
                "stays pending, and no sensor starts a run for it until its text changes or somebody starts one",
                "canceled: {committed:,} of {number:,} chunks of {partition} were committed and are kept; {pending:,} "
                "stay pending, and no sensor starts a run for them until a text changes or somebody starts one",
                total,
                committed=committed,
                pending=total - committed,
                partition=partition,
            )
        else:
            message = translate("canceled: what was committed is kept, and what is missing stays pending")
        super().__init__(message)
        self.partition = partition
        self.committed = committed
        self.total = total


class WatchingStopped(Interrupted):
    """Somebody asked to stop watching a backfill that Dagster runs."""

    def __init__(self, number: int, backfill_id: str) -> None:
        message = translate(
            "backfill {backfill_id} goes on. Watch or cancel it in Dagster, at Runs > Backfills.",
            backfill_id=backfill_id,
        )
        super().__init__(number, message)
        self.backfill_id = backfill_id


class DaemonNotRunning(VectorAssetsError):
    """Dagster's daemon, which starts the runs of a backfill, has sent no heartbeat for a while."""

    def __init__(self, waiting: str | None = None) -> None:
        if waiting:
            message = translate(
                "Dagster's daemon is not running, so that backfill {waiting} waits for it. Start it with vector-assets "
                "dev, or elsewhere with dagster-daemon run.",
                waiting=waiting,
            )
        else:
            message = translate(
                "Dagster's daemon is not running, so that a launched backfill would not start. Start it with "
                "vector-assets dev, or elsewhere with dagster-daemon run; or omit --launch to run the backfill here."
            )
        super().__init__(message)
        self.waiting = waiting


class PortTaken(VectorAssetsError):
    """Another program listens on the port of a server that a command would start."""

    def __init__(self, port: int, reason: str, option: str = "--port") -> None:
        super().__init__(
            translate(
                "port {port} cannot be used ({reason}). Choose another with {option}.",
                port=port,
                reason=reason,
                option=option,
            )
        )
        self.port = port


class DevRunsAlready(VectorAssetsError):
    """`vector-assets dev` runs already on the same storage of Dagster; two daemons would disturb each other."""

    def __init__(self, holder: str) -> None:
        super().__init__(
            translate(
                "vector-assets dev runs already ({holder}). Use its pages, or stop it first; for a second one set "
                "VECTOR_ASSETS_HOME to another directory.",
                holder=holder,
            )
        )
        self.holder = holder


class DagsterDidNotStart(VectorAssetsError):
    """Dagster's webserver and daemon did not start, or ended by themselves."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Dagster did not start: {reason}. Read Dagster's lines above, then run vector-assets doctor.")


class BudgetUsedUp(VectorAssetsError):
    """A limit of tokens or a deadline was reached before anything could be embedded. All chunks stay pending."""

    def __init__(self, partition: str, reason: str) -> None:
        super().__init__(
            translate(
                "nothing of {partition} was embedded, because {reason}. Its chunks stay pending. Raise the limit, or "
                "run again later.",
                partition=partition,
                reason=reason,
            )
        )
        self.partition = partition
        self.reason = reason


class PartitionBusy(VectorAssetsError):
    """Another run works on the same partition and space, and did not end within the time that this run waited."""

    # `passes` stays false: the other run may end soon, but it does the same work, so nothing is left to retry.
    def __init__(self, partition: str, holder: str, waited: float) -> None:
        super().__init__(
            f"{partition} is being vectorized by {holder} already, which did not end within {waited:g} s. Let it "
            "finish, or cancel it and run this again."
        )
        self.partition = partition
        self.holder = holder


class LeaseLost(VectorAssetsError):
    """The run no longer holds the lease of its partition, so that it may store nothing more."""

    def __init__(self) -> None:
        super().__init__(
            translate(
                "this run has lost its partition: Dagster has marked it as ended, or another run took the partition "
                "over after VECTOR_ASSETS_LEASE_SECONDS without a sign of this one. What it committed is kept, and it "
                "stores nothing more. Start another run if chunks are still pending."
            )
        )


class RunEnded(VectorAssetsError):
    """Dagster has marked the run as failed or canceled, and its process goes on all the same."""

    def __init__(self) -> None:
        super().__init__(
            translate(
                "Dagster has marked this run as ended while its process was still at work, as it does when a node is "
                "lost. What was stored is kept, and the run reports no success. Start another run for the rest."
            )
        )


class IndexBuildRunning(VectorAssetsError):
    """Another process is at work on the indexes of the same space."""

    def __init__(self, slug: str, holder: str) -> None:
        super().__init__(
            translate(
                "the index of {slug} is being built or checked by {holder} already. Let it finish, or end it with "
                "SELECT pg_terminate_backend of that process, and run this again.",
                slug=slug,
                holder=holder,
            )
        )
        self.slug = slug
        self.holder = holder


class IndexWouldSpill(VectorAssetsError):
    """The graph of a build would not fit into the memory that it may use. Nothing was built."""

    def __init__(self, slug: str, needed: str, allowed: str, duration: str) -> None:
        super().__init__(
            translate(
                "the index of {slug} needs {needed} of memory while it is built, and may use {allowed}: it would go on "
                "from the disk and take about {duration}. If the database server has the memory, raise "
                "VECTOR_ASSETS_INDEX_MEMORY_GIB; or build it so: vector-assets index --spill.",
                slug=slug,
                needed=needed,
                allowed=allowed,
                duration=duration,
            )
        )
        self.slug = slug
