"""How seldom a command looks for garbage that only Python's collector finds."""

import atexit
import gc

# Python's own is 700 new objects, and each import makes thousands, which stay.
_NEW_OBJECTS = 10_000


def look_for_garbage_seldom() -> None:
    """Spare a command the search for garbage among what it imports.

    Of a command that imports Dagster it took 0.3 of 2.7 seconds of a core while it imported, and 0.8 at its end, where
    Python looks through everything several times. Nothing is freed there that the end of the process does not free.
    """
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)
