"""A run whose process is killed, wherever it stands: whole batches stay, and the next run does the rest."""

import random
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import psutil
import pytest

from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.vectorizer.pipeline import CONCURRENT_COMMITS

from ..embedding.remote.provider_server import serving
from ..embedding.remote.served_embedder import spoiling
from ..fakes import KEY, HashEmbedder
from ..forked_programs import ForkedProgram
from ..invariants import check_invariants
from .places import BATCH_SIZE, CHUNKS, SECONDS, Place, asked_for, eventually, finish, is_at_work

# So many batches at least wait for those that are being committed, which is why they are answered and not committed.
WAITING = 3
# The longest time for which a partition rests after failures.
RESTED = timedelta(minutes=61)

# A point, at which time it stands there, and the batches that must be committed by then. Several commits are at work at
# once, so that a few others may not be through yet, or a few more may be.
STANDS = {
    "before the first embed": ("embed", 1, 0),
    "between embed and commit": ("between embed and commit", 21, 20 - CONCURRENT_COMMITS),
    "in the open transaction": ("before COMMIT", 21, 20 - CONCURRENT_COMMITS),
    "during the progress event": ("event", 21, 21),
}


def kill(child: ForkedProgram) -> None:
    """As the system does that runs out of memory."""
    child.send_signal(signal.SIGKILL)
    assert child.wait(SECONDS) == -signal.SIGKILL


@pytest.mark.parametrize(("point", "number", "batches"), STANDS.values(), ids=STANDS)
def test_a_run_killed_at_a_point(place: Place, point: str, number: int, batches: int) -> None:
    """Row: the run's process is killed. Whole batches stay, and nothing of others."""
    with place.started_run(point, number) as child:
        assert child.stdout.readline() == f"{point}\n"
        kill(child)

    found = finish(place)

    assert batches * BATCH_SIZE <= len(found.current) <= CHUNKS - BATCH_SIZE
    assert len(found.current) % BATCH_SIZE == 0
    with place.services() as services, recorded_runs(services, SilentListener()):
        statuses = [run.status for run in dg.DagsterInstance.get().get_runs()]
    assert statuses == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


@pytest.mark.parametrize("point", ["between embed and commit", "before COMMIT"])
def test_a_run_with_a_server_killed_at_a_point(place: Place, point: str) -> None:
    """Row: the run's process is killed. What the server had answered is not paid for again, but for one batch."""
    with serving(spoiling) as provider:
        place = replace(place, server=provider.url)

        def batches() -> list[list[str]]:
            """Those that were paid for; what the checks ask for is less."""
            return [body["input"] for body in provider.answered if len(body["input"]) == BATCH_SIZE]

        with place.started_run(point, 21) as child:
            assert child.stdout.readline() == f"{point}\n"
            eventually(lambda: len(batches()) >= 21 + CONCURRENT_COMMITS + WAITING)
            kill(child)

        found = finish(place)

    paid = Counter(text for batch in batches() for text in batch)
    assert (20 - CONCURRENT_COMMITS) * BATCH_SIZE <= len(found.current) <= CHUNKS - BATCH_SIZE
    assert len(found.current) % BATCH_SIZE == 0
    assert sum(paid.values()) - len(paid) <= BATCH_SIZE


def test_a_run_killed_at_random_again_and_again(place: Place) -> None:
    """Row: the run's process is killed. Twice, each time after a number of steps that is drawn; it gets on."""
    drawn = random.Random(20)
    current = 0
    for _ in range(2):
        with place.started_run("any", 0) as child:
            for _ in range(drawn.randrange(1, 60)):
                assert child.stdout.readline()
            kill(child)
        with place.services() as services:
            eventually(lambda services=services: asked_for(services, RESTED) == [str(KEY)])
            found = check_invariants(services.database, HashEmbedder())
        assert len(found.current) >= current
        assert len(found.current) % BATCH_SIZE == 0
        current = len(found.current)

    finish(place, pending=CHUNKS - current, later=RESTED)


def test_a_killed_run_that_nobody_takes_note_of(place: Place) -> None:
    """Row: the run's process is killed. Its parent does not take note, as the first process of a container may not."""
    command = [sys.executable, "-m", f"{__package__}.started_services", *place.run_arguments("embed", 1)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "embed\n"
        child.send_signal(signal.SIGKILL)
        eventually(lambda: not is_at_work(psutil.Process(child.pid)))

        with place.services() as services:
            assert asked_for(services, RESTED) == [str(KEY)]
