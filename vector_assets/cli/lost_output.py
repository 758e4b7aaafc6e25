"""Output that has nowhere to go: its disk is full, its quota is used up, or its terminal is gone."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

_LOST = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


@contextmanager
def exit_if_output_is_lost() -> Iterator[None]:
    """End the program with 1 and one line to stderr, not with a traceback, where what it prints cannot be written."""
    try:
        yield
    except OSError as error:
        # Streams that are open from the start have no name.
        if error.errno not in _LOST or error.filename is not None:
            raise
        reason = f"something could not be written ({os.strerror(error.errno)})"
        with suppress(OSError):
            click.echo(f"Error: {reason}. Check the disks of the output and of VECTOR_ASSETS_HOME.", err=True)
        _drop_what_is_buffered()
        raise SystemExit(1) from error


def _drop_what_is_buffered() -> None:
    """Let Python, which writes the rest of its buffers when it exits, write them to nowhere."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
