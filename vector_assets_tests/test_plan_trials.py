"""What a backfill takes is tried where the model has made no run yet."""

import threading

import pytest

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import EmbedderHung
from vector_assets.estimates.backfill_plan import BackfillPlan
from vector_assets.plan_trials import with_trial
from vector_assets.storage.chunk_texts import PostgresChunkTexts
from vector_assets.storage.database import Database

from .fakes import HashEmbedder, store_chunks

US, CN = PartitionKey("us", "report", "X"), PartitionKey("cn", "report", "Y")
TEXTS = ["one two three four"] * 40


def test_tokens_and_seconds_are_those_of_some_chunks(database: Database) -> None:
    """Chunks are counted in each partition; some are embedded, and nothing is stored."""
    store_chunks(database, TEXTS, US)
    store_chunks(database, ["five six"] * 40, CN)

    plan = with_trial(BackfillPlan({US: 40, CN: 40}, None, None), HashEmbedder(), PostgresChunkTexts(database), 60.0)

    assert plan.tokens == pytest.approx(40 * 4 + 40 * 2, rel=0.05)
    assert plan.seconds is not None
    assert plan.seconds > 2 * 0.4  # and each partition takes something of its own
    assert "by a trial of a few chunks" in plan.line()


def test_what_cannot_be_tried_is_not_estimated(database: Database) -> None:
    """A text that the model cannot read is a matter of the run."""
    store_chunks(database, ["POISON"] * 80, US)
    plan = BackfillPlan({US: 80}, None, None)

    assert with_trial(plan, HashEmbedder(), PostgresChunkTexts(database), 60.0) == plan


def test_a_model_that_hangs_is_not_waited_for(database: Database) -> None:
    """As in a run: after the time limit one line says so."""
    store_chunks(database, TEXTS * 2, US)
    embedder, ended = HashEmbedder(), threading.Event()
    embedder.before = lambda _: ended.wait(60) and None

    with pytest.raises(EmbedderHung):
        with_trial(BackfillPlan({US: 80}, None, None), embedder, PostgresChunkTexts(database), 0.2)

    ended.set()


def test_a_few_chunks_are_not_worth_a_trial(database: Database) -> None:
    """They are counted; embedding them for it would take as long as the run."""
    store_chunks(database, TEXTS[:5], US)

    plan = with_trial(BackfillPlan({US: 5}, None, None), HashEmbedder(), PostgresChunkTexts(database), 60.0)

    assert (plan.tokens, plan.seconds) == (5 * 4, None)
    assert "cannot be estimated" in plan.line()
