"""Kills parts of a Ray cluster, of Dagster and runs at work, and says what became of the run and of the vectors.

    python -m benchmarks.cluster_faults run raylet daemon code-server cluster

Each fault has a home and a cluster of its own on this machine (`vector-assets dev --ray 2`). It needs the extra `ray`.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import psutil

from vector_assets.services import Services
from vector_assets.settings import load_settings

_WORDS = ("net", "sales", "rose", "fell", "margin", "fleet", "region", "quarter", "cash", "debt", "lease", "freight")
_PARTITIONS = 4
_SECONDS = 600.0


def _filings(landing: Path, paragraphs: int) -> None:
    for number in range(_PARTITIONS):
        folder = landing / "us" / "annual_report" / f"XGEN{number}"
        folder.mkdir(parents=True)
        text = "\n\n".join(
            " ".join(_WORDS[(i * 7 + j * j + number) % len(_WORDS)] for j in range(120)) + f" {i}."
            for i in range(paragraphs)
        )
        (folder / "2024-annual-report.txt").write_text(text)


@contextmanager
def _dev(home: Path, landing: Path, log: Path) -> Iterator[psutil.Process]:
    port, ray_port = str(39_000 + os.getpid() % 900), str(38_000 + os.getpid() % 900)
    options = ["--filings", str(landing), "--port", port, "--ray", "2", "--ray-port", ray_port]
    with log.open("wb") as output:
        process = psutil.Popen(
            [sys.executable, "-m", "vector_assets.cli", "dev", *options], stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(90)


class _Runs:
    """The runs of a home, read from Dagster's storage."""

    def __init__(self, services: Services) -> None:
        from vector_assets.defs.runtime.instance import open_instance

        self.instance = open_instance(services)

    def embedding(self) -> list[tuple[str, str, int]]:
        """Id, status and process of the runs that embed, the newest first; the process is 0 before it is known."""
        import json

        from vector_assets.defs.runtime.run_processes import PROCESS_TAG

        found = [run for run in self.instance.get_runs(limit=30) if "vectorize" in run.job_name]
        return [(run.run_id, run.status.value, int(json.loads(run.tags.get(PROCESS_TAG, "[0,0]"))[1])) for run in found]

    def status(self, run_id: str) -> str:
        """Status of a run."""
        run = self.instance.get_run_by_id(run_id)
        return run.status.value if run else "gone"


def _victims(fault: str, dev: psutil.Process, pid: int) -> list[psutil.Process]:
    """The processes that a fault kills. The raylet is the one under which the run was started."""
    below = dev.children(recursive=True)
    if fault == "run":
        return [psutil.Process(pid)]
    if fault == "raylet":
        return [parent for parent in psutil.Process(pid).parents() if parent.name() == "raylet"]
    parts = {"daemon": "dagster._daemon", "code-server": "grpc", "cluster": "local_cluster"}[fault]
    found = [process for process in below if any(parts in word for word in process.cmdline()[:6])]
    return [p for one in found for p in [one, *one.children(recursive=True)]] if fault == "cluster" else found


def _until(what: str, condition: Callable[[], object]) -> float:
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > _SECONDS:
            raise TimeoutError(what)
        time.sleep(0.5)
    return time.monotonic() - started


def _try(fault: str, folder: Path, paragraphs: int) -> str:
    home, landing = folder / "home", folder / "landing"
    _filings(landing, paragraphs)
    os.environ["VECTOR_ASSETS_HOME"] = str(home)
    os.environ.pop("DAGSTER_HOME", None)
    with _dev(home, landing, folder / "dev.log") as dev:
        _until("the pages", lambda: "/assets" in (folder / "dev.log").read_text())
        with Services(load_settings(home=home), creates=False) as services:
            runs = _Runs(services)
            _until("a run at work", lambda: any(s == "STARTED" and pid for _, s, pid in runs.embedding()))
            run, _, pid = next(found for found in runs.embedding() if found[1] == "STARTED" and found[2])
            process = psutil.Process(pid)
            time.sleep(4)
            victims = _victims(fault, dev, pid)
            for victim in victims:
                victim.kill()
            seen: list[tuple[float, str]] = []
            started = time.monotonic()
            until = started + _SECONDS
            while time.monotonic() < until:
                status = runs.status(run)
                if not seen or seen[-1][1] != status:
                    seen.append((time.monotonic() - started, status))
                pending = sum(found.pending for found in services.status())
                if not process.is_running() and (not pending or fault == "cluster") and len(seen) > 1:
                    break
                time.sleep(0.5)
            after = ", ".join(f"{status} after {seconds:.0f} s" for seconds, status in seen)
            statuses = services.status()
            chunks, current = sum(s.chunks for s in statuses), sum(s.chunks - s.pending for s in statuses)
            return f"{fault} ({len(victims)} killed): {after}; {current:,} of {chunks:,} chunks current at the end"


@click.command()
@click.argument("faults", nargs=-1, required=True)
@click.option("--paragraphs", default=1500, show_default=True, help="Of each of four partitions.")
def main(faults: tuple[str, ...], paragraphs: int) -> None:
    """Try each fault."""
    for fault in faults:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            print(_try(fault, Path(folder), paragraphs), flush=True)


if __name__ == "__main__":
    main()
