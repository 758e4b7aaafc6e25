"""A canceled run ends what its other threads wait for."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What Dagster sends to the process of a run that is canceled.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts_set(event: threading.Event) -> Iterator[None]:
    """Set the event when the run is interrupted, before Dagster raises that in the main thread.

    Off the main thread nothing is done: runs there are stopped in another way (see `in_process`).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.getsignal(number) for number in _SIGNALS}

    def interrupted(number: int, frame: FrameType | None) -> None:
        event.set()
        handler = former[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in _SIGNALS:
        if callable(former[number]):
            signal.signal(number, interrupted)
    try:
        yield
    finally:
        for number, handler in former.items():
            if callable(handler):
                signal.signal(number, handler)
