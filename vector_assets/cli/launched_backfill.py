"""Hands a backfill to the running Dagster and shows its progress."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..domain.partition_keys import PartitionKey
from ..errors import Interrupted, WatchingStopped
from .signals import stop_on_signals
from .terminal import BackfillBar, working

if TYPE_CHECKING:
    from ..defs.runtime.backfills import Backfills
    from ..services import Services

# Between two reads of what the runs have done.
_READ_SECONDS = 2.0
_MOST_NAMED = 10
_ASSET = "silver/vectorized_chunks"


def launch_and_follow(
    services: "Services", partitions: Sequence[PartitionKey], config: Mapping[str, Any], title: str
) -> bool:
    """Launch what no other backfill is about to do, follow it to its end, and say whether all partitions are done.

    Raises:
        DaemonNotRunning: nothing would start, or nothing starts any more.
        WatchingStopped: a signal asked to stop; the backfill goes on.
    """
    with working("opening Dagster's storage"):
        from ..defs.runtime.backfills import Backfills
        from ..defs.runtime.instance import open_instance
    with open_instance(services) as instance:
        backfills = Backfills(instance, services.settings.max_partitions_per_run)
        backfills.require_daemon()
        targeted = backfills.targeted()
        taken = {targeted[str(key)] for key in partitions if str(key) in targeted}
        free = [key for key in partitions if str(key) not in targeted]
        if taken:
            ids = ", ".join(sorted(taken))
            click.echo(f"{len(partitions) - len(free):,} partitions are left to backfill {ids}, which is at work.")
        if not free:
            return True
        backfill_id = backfills.launch(free, config, title)
        click.echo(f"backfill {backfill_id}: {len(free):,} partitions. Ctrl-C stops watching; Dagster goes on.")
        try:
            return _follow(services, backfills, backfill_id, free)
        except Interrupted as asked:
            raise WatchingStopped(asked.number, backfill_id) from None


def _follow(services: "Services", backfills: "Backfills", backfill_id: str, partitions: Sequence[PartitionKey]) -> bool:
    keys = set(partitions)
    with BackfillBar(len(partitions)) as bar, stop_on_signals("no longer watching ...") as stop:
        while True:
            state = backfills.state(backfill_id)
            pending = sum(item.pending for item in services.pending_partitions() if item.partition in keys)
            bar.look(len(state.done), len(state.failed), pending)
            if state.ended is not None or len(state.done) == len(keys):
                break  # the daemon may take half a minute to note that all is done
            backfills.require_daemon(backfill_id)
            stop.asked.wait(_READ_SECONDS)
            stop.raise_if_asked()
    failed = sorted(str(key) for key in keys if str(key) not in state.done)
    click.echo(
        f"backfill {backfill_id}: {len(state.done):,} partitions done, {len(failed):,} not, {pending:,} chunks pending."
    )
    for name in failed[:_MOST_NAMED]:
        click.echo(f"not done  {name}", err=True)
    if failed:
        click.echo(f"Each one's reason is on its page in Dagster: Assets > {_ASSET} > Partitions.", err=True)
    return not failed
