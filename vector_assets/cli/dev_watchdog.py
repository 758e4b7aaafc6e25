"""A process that ends what `vector-assets dev` started when that was killed and could not do it itself.

It is started with the number of Dagster's process group. Its standard input is a pipe that the command holds: a line on
it says that nothing is left to do; its end without a line, that the command is gone.
"""

import os
import signal
import sys
from contextlib import suppress
from subprocess import PIPE

import psutil

# On a busy machine Dagster takes several seconds to end. Killed before that, it leaves its temporary directory behind.
STOP_SECONDS = 20.0


def start_watchdog(group: int) -> psutil.Popen:
    """Start a process that ends those of a group when this process ends without `dismiss`."""
    # With -m, Python would warn that the package has imported the module before.
    command = [sys.executable, "-c", "from vector_assets.cli.dev_watchdog import main; main()", str(group)]
    # In a session of its own: a terminal's signals are meant for the command, and what kills a group not for this.
    return psutil.Popen(command, stdin=PIPE, start_new_session=True)


def dismiss(watchdog: psutil.Popen) -> None:
    """Let the watchdog end, since nothing is left for it to do."""
    with suppress(BrokenPipeError):  # it was killed itself
        watchdog.communicate(b"done\n")


def group_members(group: int) -> list[psutil.Process]:
    """List the processes of a group, also once its first process has ended."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end_group(group: int) -> None:
    """Ask the processes of a group to end, then kill those that have not ended after `STOP_SECONDS`."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        processes = group_members(group)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        psutil.wait_procs(processes, timeout=STOP_SECONDS)


def main() -> None:
    """Wait for a line or for the end of the input."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.readline():
        return
    end_group(int(sys.argv[1]))
    _leave_embedded_server()


def _leave_embedded_server() -> None:
    """It would wait for the killed processes for ever; as the last one to leave, this one stops it."""
    from ..services import Services
    from ..settings import load_settings

    settings = load_settings()
    if settings.database_url is None and (settings.home / "postgres" / "postmaster.pid").exists():
        _ = Services(settings).url
