"""Other programs write while a run is at work: no vector of a former text stays, and the new one gets its own."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from vector_assets.storage.database import Database

from ..fakes import make_live, rows, store_chunks
from .places import BATCH_SIZE, CHUNKS, VECTORS, Place, finish, once, program, run, texts

# In the middle of the run, while this batch is being embedded.
_BATCH = 30
# The sensor does not wait after a run that went well.
_NOW = timedelta(0)
_EDIT = "UPDATE document_chunks SET text = text || ' edited' WHERE chunk_index % 10 = 3"


def edit(database: Database) -> None:
    """Every tenth chunk: some have their vectors, some are being embedded, some wait."""
    rows(database, _EDIT)


def delete(database: Database) -> None:
    rows(database, "DELETE FROM document_chunks WHERE chunk_index % 10 = 3")


def ingest_again(database: Database) -> None:
    """The same document with other text: of ten lines one is new, one is gone, eight move or stay."""
    kept = [text for number, text in enumerate(texts()) if number % 10 != 3]
    store_chunks(database, kept + [f"new line {number}" for number in range(CHUNKS // 10)])


def truncate(database: Database) -> None:
    """Somebody empties the table of vectors, to have them all made anew."""
    rows(database, f"TRUNCATE {VECTORS}")


@pytest.mark.parametrize(
    ("write", "chunks", "lost"),
    [
        (edit, CHUNKS, False),
        (delete, CHUNKS - CHUNKS // 10, False),
        (ingest_again, CHUNKS, False),
        (truncate, CHUNKS, True),
    ],
)
def test_all_at_once_while_a_batch_is_embedded(
    place: Place, write: Callable[[Database], None], chunks: int, lost: bool
) -> None:
    """Row: text edited, chunks deleted, a document ingested again, the vectors' table emptied, all during a run.

    `test_vectorizer.py` has the same for one chunk; here hundreds are before, in and after the batch at work.
    """
    with place.services() as services:
        services.embedder.before = once(_BATCH, lambda: write(services.database))

        result = run(services)

        assert result.error is None
        told = result.status.pending, result.status.current

    found = finish(place, later=_NOW)

    assert told == (len(found.pending), len(found.current))
    assert len(found.pending) + len(found.current) == chunks
    assert lost == (len(found.current) < CHUNKS - (_BATCH - 10) * BATCH_SIZE)


@pytest.mark.parametrize("late", [False, True], ids=["commits during the run", "commits after the run"])
def test_an_editor_whose_transaction_stays_open(place: Place, late: bool) -> None:
    """Row: an editor holds two hundred chunks from before the run on, and commits late.

    Nobody waits for the other. What was edited is pending, the sensor asks for it, and it gets the new text's vectors.
    """
    with place.services() as services, program(place) as editor:
        # The very first run makes the table of vectors, which must wait for whoever writes chunks then.
        make_live(services.database)
        editor.execute(_EDIT)
        if not late:
            services.embedder.before = once(_BATCH, editor.commit)
        result = run(services)

    assert result.error is None
    assert result.report.superseded_count == CHUNKS // 10
    assert result.status.pending == CHUNKS // 10
    found = finish(place, pending=CHUNKS // 10, later=_NOW)
    assert len(found.current) == CHUNKS - CHUNKS // 10
