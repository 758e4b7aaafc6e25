"""The network goes silent in the middle of a run: no connection is cut and none refused, but nothing arrives any more.

As with a cable that was pulled, or a firewall that drops what it does not know. Nobody tells either end; each has only
the time for which it is ready to hear nothing.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy import make_url

from vector_assets.defs import step_failures as failures
from vector_assets.storage import database as databases
from vector_assets.storage import partition_locks as locks
from vector_assets.storage.database_url import CONNECTION_DEFAULTS
from vector_assets.storage.retries import PATIENCE_SECONDS, Retries
from vector_assets.vectorizer.pipeline import CONCURRENT_COMMITS

from ..fakes import HashEmbedder
from .conftest import empty_place
from .network import forbidden, silence, speak, unacknowledged
from .places import BATCH_SIZE, CHUNKS, SECONDS, Place, administrator, eventually, finish, once, program, run
from .small_server import SmallServer
from .test_connections import _HOLD, _WAITING, when_told

pytestmark = pytest.mark.skipif(bool(forbidden()), reason=forbidden())

_BATCH = 30
# In place of the product's own numbers, by which silence is noticed after 45 seconds. What the product does not set at
# all stays as it is, so that a run without it never ends here.
_IMPATIENT = {
    "tcp_user_timeout": 1000, "keepalives_idle": 1, "keepalives_interval": 1, "keepalives_count": 2,
    "connect_timeout": 2,
}  # fmt: skip
# A lock's client that is silent is missed by the server after three seconds and not sixty.
_LOCK_SETTINGS = locks._SETTINGS.replace("'30'", "'1'").replace("'10'", "'1'")

# A program can join a network as long as it has one thread, which after its imports it has no more.
_PROGRAM = f"""
import sys
from {__package__}.network import join_network
join_network(int(sys.argv[1]))
from {__name__} import main
main(*sys.argv[2:])
"""


class DistantServer(SmallServer):
    """A server at the other end of a network; see network.py."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 0, "")
        self._command = [sys.executable, "-m", f"{__package__}.network", str(folder)]

    @property
    def process(self) -> int:
        """By which its network is joined."""
        return self._process.pid


@dataclass(frozen=True)
class Told:
    """What the program in the network says of its run."""

    error: str | None
    vectorized: int | None
    superseded: int | None
    embedded: int
    warnings: list[str]


def main(url: str, socket_url: str, home: str, landing: str, way: str) -> None:
    """One run, in the middle of which the network goes silent.

    `way` is "for a while", until somebody who lost a connection could not make another; or "for long", from when the
    commits wait in the server until the run is over. What the URL says itself has to win over the product's numbers.
    """
    by_socket = Place(make_url(socket_url), Path(home), Path(landing), Path(tempfile.gettempdir()))
    place = replace(by_socket, url=make_url(url))
    hurried = {name: _IMPATIENT[name] for name in (CONNECTION_DEFAULTS.keys() & _IMPATIENT) - place.url.query.keys()}
    embedder = HashEmbedder()
    warnings: list[str] = []
    speak()  # a run before this one may have been killed
    with ExitStack() as stack:
        stack.enter_context(patch.dict(CONNECTION_DEFAULTS, hurried))
        stack.enter_context(patch.object(locks, "_BETWEEN_LOOKS_SECONDS", 0))
        stack.enter_context(patch.object(locks, "_SETTINGS", _LOCK_SETTINGS))
        stack.enter_context(patch.object(failures, "STEP_RETRIES", 0))
        retries = Retries(seconds=PATIENCE_SECONDS if way == "for a while" else 0.05, first_wait=0.01)
        services = stack.enter_context(place.services(embedder, retries))
        if way == "for a while":
            stack.enter_context(patch("dagster_postgres.utils.calculate_delay", lambda **_: 0.01))
            embedder.before = once(_BATCH, silence)
            warnings = stack.enter_context(when_told("attempt 3 in", speak))
        else:
            # On a slow machine the commits must not give up before all of them wait.
            stack.enter_context(patch.object(databases, "LOCK_TIMEOUT", "10min"))
            pool, user = stack.enter_context(ThreadPoolExecutor(1)), stack.enter_context(program(by_socket))

            def hold() -> None:
                user.execute(_HOLD)
                pool.submit(silence_when_commits_wait, by_socket)

            embedder.before = once(_BATCH, hold)

        result = run(services)

        counts = [result.report.vectorized_count, result.report.superseded_count] if result.report else [None, None]
        print(json.dumps([result.error, *counts, len(embedder.embedded), warnings]))
    speak()


def silence_when_commits_wait(place: Place) -> None:
    """All that was sent has arrived, and is known to have: only who asks for signs of life can miss them."""
    with administrator(place.url) as admin:
        eventually(lambda: len(admin.execute(_WAITING, [place.url.database]).fetchall()) == CONCURRENT_COMMITS)
    eventually(lambda: unacknowledged() == 0)
    silence()


@pytest.fixture(scope="module")
def server() -> Iterator[DistantServer]:
    """A server at the other end of a network."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with DistantServer(Path(folder)) as server:
            yield server


@pytest.fixture
def distant(
    server: DistantServer,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    landing: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    """Two thousand pending chunks on it. Whoever looks at them from here goes by the server's socket."""
    place = empty_place(server.url.set(database=request.function.__name__), tmp_path, landing, monkeypatch)
    place.fill()
    return place


def run_in_network(server: DistantServer, place: Place, way: str, query: Mapping[str, str]) -> Told:
    """By a program in it, which sees the server over TCP; see `main`."""
    url = place.url.set(host="127.0.0.1", port=5432, query=query)
    urls = [each.render_as_string(hide_password=False) for each in (url, place.url)]
    arguments = [str(server.process), *urls, str(place.home), str(place.landing), way]
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=2 * SECONDS)
    assert done.returncode == 0
    return Told(*json.loads(done.stdout))


def test_the_network_is_silent_for_a_while(server: DistantServer, distant: Place) -> None:
    """Row: the network goes silent for a while. For Dagster's storage as well; the run goes on when it is back.

    What was sent is not acknowledged: who sent it gives the connection up, and cannot make another.
    """
    told = run_in_network(server, distant, "for a while", {})

    assert told.error is None
    assert (told.vectorized, told.superseded, told.embedded) == (CHUNKS, 0, CHUNKS)
    assert "cannot reach the database" in told.warnings[0]
    distant.check_nothing_left()
    finish(distant, pending=0, later=timedelta(0))


def test_the_network_stays_silent(server: DistantServer, distant: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row: the network stays silent for longer than is waited for. One line says so, and the next run does the rest.

    All commits wait in the server. Their client misses the signs of life; the server, which has none either, ends what
    it has open.
    """
    with distant.services() as services:  # Dagster's storage can be reached all the while
        url = services.dagster_url.render_as_string(hide_password=False)
    monkeypatch.setenv("VECTOR_ASSETS_DAGSTER_DATABASE_URL", url)
    own = {name: str(_IMPATIENT[name]) for name in ("tcp_user_timeout", "connect_timeout")}

    told = run_in_network(server, distant, "for long", own)

    assert told.error is not None
    assert told.error.startswith("cannot reach the database")
    assert "\n" not in told.error
    distant.check_nothing_left()
    found = finish(distant)
    # The server may have ended well what waited in it.
    assert (_BATCH - 10) * BATCH_SIZE <= len(found.current) < (_BATCH + CONCURRENT_COMMITS) * BATCH_SIZE
    assert len(found.current) % BATCH_SIZE == 0
    assert len(found.pending) == CHUNKS - len(found.current)
