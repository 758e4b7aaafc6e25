"""Changes to the processes of `vector-assets dev`: an embedder that asks the test each time, a sensor that looks often.

A sitecustomize.py that imports this module makes every process of Python do so; a change is made when its module is
imported, so that processes which never do stay as they are.
"""

import importlib.util
import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

GATE = "VECTOR_ASSETS_TESTS_GATE"
GAP = "VECTOR_ASSETS_TESTS_GAP"
"""Names the seconds after the first failure, where they are to be others than `GAP_SECONDS`."""
# Seconds in place of ten between ticks, and of sixty after the first failure.
TICK_SECONDS = 1
GAP_SECONDS = 2


def ask(_: Sequence[str]) -> None:
    """Stand at the test's gate until it says what to do; where there is no gate any more, go on."""
    answer = b""
    with socket.socket(socket.AF_UNIX) as gate, suppress(OSError):
        gate.connect(os.environ[GATE])
        gate.sendall(str(os.getpid()).encode())
        answer = gate.recv(16)
    if answer == b"fail":
        raise RuntimeError("the test says so")


def _gate_the_embedder(wiring: ModuleType) -> None:
    from ..fakes import HashEmbedder

    embedder = HashEmbedder()
    embedder.before = ask
    wiring.Services.embedder = embedder


def _look_often(sensors: ModuleType) -> None:
    sensors.new_chunks_sensor._min_interval = TICK_SECONDS


def _rest_shortly(backoff: ModuleType) -> None:
    backoff.FIRST_REST = timedelta(seconds=int(os.environ.get(GAP, GAP_SECONDS)))


CHANGES: dict[str, Callable[[ModuleType], None]] = {
    "vector_assets.services": _gate_the_embedder,
    "vector_assets.defs.sensors": _look_often,
    "vector_assets.domain.failure_backoff": _rest_shortly,
}


class _Changing(MetaPathFinder):
    """Finds the modules to be changed as everybody else does, and changes them when they have been executed."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        change = CHANGES.pop(name, None)
        spec = importlib.util.find_spec(name) if change else None
        if change and spec and spec.loader:
            execute = spec.loader.exec_module

            def execute_and_change(module: ModuleType) -> None:
                execute(module)
                change(module)

            spec.loader.exec_module = execute_and_change
        return spec


if GATE in os.environ:
    sys.meta_path.insert(0, _Changing())
