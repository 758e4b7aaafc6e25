"""Dagster's event store refuses what it is told: the work goes on, and somebody is told of that."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress

from .places import CHUNKS, Place, finish, run

_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no observation today'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON event_logs
    FOR EACH ROW WHEN (NEW.dagster_event_type = 'ASSET_OBSERVATION') EXECUTE FUNCTION refuse();
"""
_ACCEPT = "DROP FUNCTION refuse CASCADE"

_NOTE_BACKENDS = """
ALTER TABLE event_logs ADD COLUMN backend integer;
ALTER TABLE event_logs ALTER COLUMN backend SET DEFAULT pg_backend_pid();
"""
_NOTED = "SELECT count(backend), count(DISTINCT backend) FROM event_logs"


class Between:
    """A watcher that does something to Dagster's database at one batch, and undoes it at another."""

    def __init__(self, place: Place, begin: str, end: str) -> None:
        self._place = place
        self._statements = {10: begin, 15: end}

    @contextmanager
    def connected(self) -> Iterator[None]:
        database = f"{self._place.url.database}_dagster"
        url = self._place.url.set(drivername="postgresql", database=database)
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as self._connection:
            yield

    def document(self, partition: PartitionKey, source_uri: str) -> None:
        pass

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        if statement := self._statements.get(progress.batch_num):
            self._connection.execute(statement)


@pytest.mark.parametrize(
    ("begin", "end"),
    [(_REFUSE, _ACCEPT), ("BEGIN; LOCK TABLE event_logs IN SHARE ROW EXCLUSIVE MODE", "ROLLBACK")],
    ids=["a trigger raises", "a lock is not given in time"],
)
def test_the_event_store_refuses_for_five_batches(
    place: Place, begin: str, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Row: the event store refuses an event. Every batch is committed; one warning, and the losses are counted."""
    with place.services() as services:
        _ = services.dagster_url  # is made with it
        watcher = Between(place, begin, end)
        with watcher.connected():
            watcher._connection.execute(f"ALTER DATABASE {place.url.database}_dagster SET lock_timeout = '100ms'")
            result = run(services, watcher)

    assert result.error is None
    assert result.report.vectorized_count == CHUNKS
    assert result.report.callback_errors == 5
    warnings = [record for record in caplog.records if record.message.startswith("the progress callback failed")]
    assert len(warnings) == 1
    finish(place, pending=0)


def test_events_share_a_connection_that_ends_with_the_runs(place: Place) -> None:
    """To connect takes longer than to write an event; and a process that is done leaves no connection behind."""
    with place.services() as services:
        _ = services.dagster_url  # is made with it
        watcher = Between(place, _NOTE_BACKENDS, _NOTED)
        with watcher.connected():
            result = run(services, watcher)
            events, backends = watcher._connection.execute(_NOTED).fetchall()[0]

    assert result.error is None
    assert events > 50
    assert backends <= 2  # Dagster may ask for one while it uses another: then the pool keeps either
    finish(place, pending=0)
