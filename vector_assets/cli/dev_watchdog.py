"""Ends what `vector-assets dev` started when that was killed and could not do it itself.

Started with the number of Dagster's process group. Its standard input is a pipe that the command holds: a line on it
says that all is done; its end without a line, that the command is gone.
"""

import os
import signal
import sys
from contextlib import suppress
from subprocess import PIPE

import psutil

# Nobody sees any more how it ends, so there is less patience than in the command itself.
_STOP_SECONDS = 5.0


def start_keeper(group: int) -> psutil.Popen:
    """Have the processes of a group ended when this process ends without `dismiss`."""
    command = [sys.executable, "-m", "vector_assets.cli.dev_watchdog", str(group)]
    # In a session of its own: a terminal's signals are meant for the command, and what kills a group not for this.
    return psutil.Popen(command, stdin=PIPE, start_new_session=True)


def dismiss(keeper: psutil.Popen) -> None:
    """Nothing is left to be ended."""
    with suppress(BrokenPipeError):  # it was killed itself
        keeper.communicate(b"done\n")


def members(group: int) -> list[psutil.Process]:
    """The processes of a group; once its first process has ended as well."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end(group: int, stop_seconds: float) -> None:
    """Ask the processes of a group to end, then make those that have not done so in time."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        processes = members(group)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        psutil.wait_procs(processes, timeout=stop_seconds)


def main() -> None:
    """Wait for the word or for the end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.readline():
        return
    end(int(sys.argv[1]), _STOP_SECONDS)
    _leave_embedded_server()


def _leave_embedded_server() -> None:
    """It would wait for the killed processes for ever; as the last one to leave, this one stops it."""
    from ..services import Services
    from ..settings import load_settings

    settings = load_settings()
    if settings.database_url is None and (settings.home / "postgres" / "postmaster.pid").exists():
        _ = Services(settings).url


if __name__ == "__main__":
    main()
