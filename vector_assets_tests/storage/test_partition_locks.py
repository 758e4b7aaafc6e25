"""A partition belongs to one run at a time, for as long as that run lives."""

import signal
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import LeaseLost, PartitionBusy
from vector_assets.storage import partition_locks as locks
from vector_assets.storage.database import Database
from vector_assets.storage.partition_locks import PartitionLocks
from vector_assets.storage.retries import Retries

from ..fakes import KEY, rows
from ..faults.places import eventually
from ..forked_programs import ForkedProgram
from .proxy import Proxy
from .servers import connect

OTHER = PartitionKey("us", "annual_report", "XOTHER")


def main(url: str, key: str) -> None:
    """Hold the partition, in another process, until it is killed."""
    with PartitionLocks(Database(make_url(url))).held(PartitionKey.parse(key), "space", "of-the-child"):
        print("held", flush=True)
        threading.Event().wait()


@pytest.fixture
def retries() -> Retries:
    return Retries(seconds=30, first_wait=0.01)


@pytest.fixture
def database(database_url, retries: Retries) -> Iterator[Database]:
    database = Database(database_url, retries, reached=True)
    yield database
    database.close()


@pytest.fixture
def child(database: Database) -> Iterator[ForkedProgram]:
    """Holds the partition."""
    url = database.url.render_as_string(hide_password=False)
    with ForkedProgram(__name__, url, str(KEY)) as child:
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_a_partition_in_use_is_refused_with_the_name_of_the_run(database: Database, child: ForkedProgram) -> None:
    """Other partitions, and other spaces, are free."""
    impatient = PartitionLocks(database, wait_seconds=0)

    with (
        pytest.raises(PartitionBusy, match=f"{KEY} .*run of-the-child") as caught,
        impatient.held(KEY, "space", "mine"),
    ):
        pass

    assert not caught.value.passes
    with impatient.held(OTHER, "space", "mine"), impatient.held(KEY, "another space", "mine"):
        pass


def test_a_partition_whose_run_is_killed_is_free_again(
    database: Database, child: ForkedProgram, retries: Retries
) -> None:
    """While another run waits for it: nobody has to clean up."""
    retries.pause = lambda _: child.kill()

    with PartitionLocks(database, wait_seconds=60).held(KEY, "space", "mine"):
        pass


def test_a_wait_for_a_partition_ends_when_somebody_asks_to_stop(
    database: Database, child: ForkedProgram, retries: Retries
) -> None:
    """At once, and nothing of the attempt is left, as soon as the server has noticed that its session was closed."""

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    retries.pause = stop

    with pytest.raises(KeyboardInterrupt), PartitionLocks(database).held(KEY, "space", "mine"):
        pass

    eventually(lambda: rows(database, _HOLDERS, "vector_assets run mine") == [])


_HOLDERS = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"


def end_holder(database: Database, run: str) -> None:
    """What a restart of the server does to the lock."""
    with connect(database.url) as admin:
        admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s", [run])


def test_a_lock_that_was_lost_is_noticed_and_taken_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run reports it once, and nobody else gets the partition after that."""
    monkeypatch.setattr(locks, "_BETWEEN_LOOKS_SECONDS", 0)
    with PartitionLocks(database).held(KEY, "space", "mine") as lock:
        assert lock.warning() is None
        end_holder(database, "vector_assets run mine")

        assert "it is held again" in lock.warning()

        assert lock.warning() is None
        with pytest.raises(PartitionBusy), PartitionLocks(database, 0).held(KEY, "space", "another"):
            pass


def test_a_lock_is_taken_back_from_a_connection_that_the_server_believes_in(
    database: Database, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a silence of the network, the server may take half a minute more to miss the client: its own ghost."""
    monkeypatch.setattr(locks, "_BETWEEN_LOOKS_SECONDS", 0)
    distant = Database(database.url.set(host="127.0.0.1", port=proxy.port, query={}), database.retries, reached=True)
    with PartitionLocks(distant, wait_seconds=0).held(KEY, "space", "mine") as lock:
        (ghost,) = rows(database, _HOLDERS, "vector_assets run mine")
        proxy.vanish()

        assert "it is held again" in lock.warning()

        assert ghost not in rows(database, _HOLDERS, "vector_assets run mine")
        assert lock.warning() is None
    distant.close()


def test_a_lock_that_another_run_got_meanwhile_takes_the_lease_along(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the other run is at work still or has ended: the partition is not taken back."""
    monkeypatch.setattr(locks, "_BETWEEN_LOOKS_SECONDS", 0)
    with PartitionLocks(database).held(KEY, "space", "mine") as lock:
        end_holder(database, "vector_assets run mine")
        with PartitionLocks(database).held(KEY, "space", "another") as another:
            assert lock.warning() is None
            another.require()
        with pytest.raises(LeaseLost):
            lock.require()

        assert lock.warning() is None


def test_a_lease_that_expired_is_taken_with_its_lock(database: Database, child: ForkedProgram) -> None:
    """From a process that is stopped, though its session and its lock live on; before, it is refused."""
    child.send_signal(signal.SIGSTOP)
    impatient = PartitionLocks(database, wait_seconds=0)
    with pytest.raises(PartitionBusy), impatient.held(KEY, "space", "mine"):
        pass
    rows(database, "UPDATE partition_leases SET expires_at = now() - interval '1 s' RETURNING run_id")

    with impatient.held(KEY, "space", "mine") as lock:
        lock.require()

        assert rows(database, "SELECT run_id FROM partition_leases") == [("mine",)]


def test_a_run_that_has_ended_gives_its_partition_up(database: Database) -> None:
    """Its lease is renewed until then."""
    asked = iter([False, False, True])
    with PartitionLocks(database, lease_seconds=0.2).held(KEY, "space", "mine", lambda: next(asked)) as lock:
        with PartitionLocks(database, wait_seconds=60).held(KEY, "space", "another"):
            pass

        with pytest.raises(LeaseLost):
            lock.require()
        assert list(asked) == []


def test_the_lock_outlives_a_limit_on_idle_sessions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is idle as long as the run works."""
    monkeypatch.setattr(locks, "_BETWEEN_LOOKS_SECONDS", 0)
    with connect(database.url) as admin:
        admin.execute(f"ALTER DATABASE {database.url.database} SET idle_session_timeout = '50ms'")
        with PartitionLocks(database).held(KEY, "space", "mine") as lock:
            admin.execute("SET idle_session_timeout = 0")
            admin.execute("SELECT pg_sleep(0.3)")

            assert lock.warning() is None


def test_a_released_partition_leaves_no_connection(database: Database) -> None:
    """However the run ended."""
    with pytest.raises(ZeroDivisionError), PartitionLocks(database).held(KEY, "space", "mine"):
        raise ZeroDivisionError

    with PartitionLocks(database).held(KEY, "space", "next"):  # the server takes a moment to notice that it has ended
        pass
