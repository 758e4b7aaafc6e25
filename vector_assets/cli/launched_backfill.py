"""Launch a backfill in the running Dagster and show its progress."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import click

from ..errors import Interrupted, WatchingStopped
from ..estimates.backfill_plan import BackfillPlan
from ..estimates.launched_backfill import LaunchedBackfill
from ..translation import ngettext, translate
from .dev_address import address_of_dev
from .launched_bars import LaunchedBars
from .signals import stop_on_signals
from .terminal import working

if TYPE_CHECKING:
    from ..defs.observed_batches import ObservedBatches
    from ..defs.runtime.backfills import Backfills
    from ..services import Services

# Between two reads of what the runs have done.
_READ_SECONDS = 2.0
_MOST_NAMED = 10


def launch_and_follow(services: "Services", plan: BackfillPlan, config: Mapping[str, Any], title: str) -> bool:
    """Launch what no other backfill is about to do, follow it to its end, and say whether all partitions are done.

    Raises:
        DaemonNotRunning: nothing would start, or nothing starts any more.
        WatchingStopped: a signal asked to stop; the backfill goes on.
    """
    with working(translate("opening Dagster's storage")):
        from ..defs.observed_batches import ObservedBatches
        from ..defs.runtime.backfills import Backfills
        from ..defs.runtime.instance import open_instance
        from ..defs.vectorize_step import vectors_asset
    with open_instance(services) as instance:
        asset = vectors_asset(services)
        backfills = Backfills(instance, services.settings.max_partitions_per_run, asset)
        backfills.require_daemon()
        targeted = backfills.targeted()
        taken = {targeted[str(key)] for key in plan.chunks if str(key) in targeted}
        free = {key: count for key, count in plan.chunks.items() if str(key) not in targeted}
        if taken:
            _print_taken(taken, len(plan.chunks) - len(free))
        if not free:
            return True
        observed = ObservedBatches(instance, asset)
        backfill_id = backfills.launch(list(free), config, title)
        _print_launched(backfill_id, len(free), address_of_dev(services.settings.home))
        try:
            progress = LaunchedBackfill({str(key): count for key, count in free.items()}, plan.seconds_of(free))
            return _follow(services, backfills, backfill_id, progress, observed)
        except Interrupted as asked:
            raise WatchingStopped(asked.number, backfill_id) from None


def _print_taken(backfills: AbstractSet[str], partitions: int) -> None:
    skipped = ngettext(
        "{number:,} partition is skipped, because backfill {others} embeds it already.",
        "{number:,} partitions are skipped, because backfill {others} embeds them already.",
        partitions,
        others=", ".join(sorted(backfills)),
    )
    click.echo(skipped)


def _print_launched(backfill_id: str, partitions: int, address: str | None) -> None:
    launched = ngettext(
        "backfill {backfill_id}: {number:,} partition. Ctrl-C stops watching, and Dagster goes on.",
        "backfill {backfill_id}: {number:,} partitions. Ctrl-C stops watching, and Dagster goes on.",
        partitions,
        backfill_id=backfill_id,
    )
    click.echo(launched)
    click.echo(f"{address or ''}/runs/b/{backfill_id}")


def _follow(
    services: "Services",
    backfills: "Backfills",
    backfill_id: str,
    progress: LaunchedBackfill,
    observed: "ObservedBatches",
) -> bool:
    keys = progress.partitions
    with LaunchedBars(len(keys)) as bars, stop_on_signals(translate("no longer watching ...")) as stop:
        while True:
            state = backfills.state(backfill_id)
            progress.update(state.done, state.failed, observed.read())
            bars.update(len(state.done), len(state.failed), progress)
            if state.ended is not None or len(state.done) == len(keys):
                break  # the daemon may take half a minute to note that all is done
            backfills.require_daemon(backfill_id)
            stop.asked.wait(_READ_SECONDS)
            stop.raise_if_asked()
    pending = sum(item.pending for item in services.pending_partitions() if str(item.partition) in keys)
    failed = sorted(keys - state.done)
    summary = translate(
        "backfill {backfill_id}: {done}, {failed:,} not done, {pending}.",
        backfill_id=backfill_id,
        done=ngettext("{number:,} partition done", "{number:,} partitions done", len(state.done)),
        failed=len(failed),
        pending=ngettext("{number:,} chunk pending", "{number:,} chunks pending", pending),
    )
    click.echo(summary)
    for name in failed[:_MOST_NAMED]:
        click.echo(translate("not done  {partition}", partition=name), err=True)
    if failed:
        page = f"Assets > {backfills.asset.to_user_string()} > Partitions"
        click.echo(translate("The reason for each is on its page in Dagster: {page}.", page=page), err=True)
    return not failed
