"""A thread that renews the lease of a run, and gives it up when the run has ended for Dagster."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from ..errors import DatabaseError
from ..ports import Leases

logger = logging.getLogger(__name__)

# Three renewals may fail before the lease expires.
_RENEWALS = 4
# A thread that waits for a database that is away ends by itself.
_END_SECONDS = 5.0


@contextmanager
def heartbeat(
    leases: Leases, token: int, period: timedelta, has_ended: Callable[[], bool], on_ended: Callable[[], None]
) -> Iterator[None]:
    """Renew a lease in another thread until the block ends or the lease is lost.

    Args:
        leases: where the lease is.
        token: the lease's token.
        period: for how long each renewal holds.
        has_ended: says whether the run is over for whoever started it, whatever this process still does.
        on_ended: is called before the lease is given up for that reason.
    """
    stopped = threading.Event()

    def renew() -> None:
        while not stopped.wait(period.total_seconds() / _RENEWALS):
            try:
                if has_ended():
                    on_ended()
                    with suppress(DatabaseError):  # then it expires
                        leases.release(token)
                    return
                if not leases.renew(token, period):
                    return  # the next commit says so
            except DatabaseError as error:  # the next renewal tries again
                logger.debug("the lease was not renewed: %s", error)

    thread = threading.Thread(target=renew, name="vector-assets-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(_END_SECONDS)
