"""A run ends between two batches when a limit is reached, and what it did not use is not charged."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from vector_assets.budgets import make_budget
from vector_assets.domain.budgets import Budget, TokenLimit, day_of_limit
from vector_assets.domain.chunks import Chunk, TokenizedText, text_hash
from vector_assets.errors import InvalidSetting
from vector_assets.settings import load_settings
from vector_assets.storage.database import Database
from vector_assets.storage.spending import Spending
from vector_assets.vectorizer.run_budget import RunBudget
from vector_assets.vectorizer.windows import Batch, TokenizedChunk

from ..fakes import KEY, HashEmbedder, make_vectorizer, store_chunks

BATCH_TOKENS = 10


def batch() -> Batch:
    """One chunk of ten tokens."""
    chunk = Chunk(KEY, KEY, "a.txt", 0, "text", text_hash("text"))  # type: ignore[arg-type]
    return Batch([TokenizedChunk(chunk, TokenizedText("text", BATCH_TOKENS, BATCH_TOKENS, 0))], 1, 0, 0.0)


class Counting(HashEmbedder):
    """An embedder whose server counts one token more or fewer than expected, by turns."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens_used = 0
        self._batches = 0

    def answer(self) -> None:
        self.tokens_used += BATCH_TOKENS + (1 if self._batches % 2 else -1)
        self._batches += 1


def work(budget: RunBudget, embedder: Counting, batches: int = 100) -> None:
    """Embed batches one after another, as long as the budget gives any out."""
    for taken in budget.take(iter([batch()] * batches)):
        embedder.answer()
        budget.embedded(taken)
    budget.close()


def test_four_runs_at_once_keep_a_limit_within_a_batch(database: Database) -> None:
    """They share it, whoever is faster; what was expected and not used is given back."""
    limit = TokenLimit("backfill 1", 505)
    embedders = [Counting() for _ in range(4)]
    runs = [RunBudget(Budget((limit,)), Spending(database), embedder) for embedder in embedders]

    threads = [threading.Thread(target=work, args=pair) for pair in zip(runs, embedders, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    used = sum(embedder.tokens_used for embedder in embedders)
    assert limit.tokens - 4 * BATCH_TOKENS < used <= limit.tokens + BATCH_TOKENS
    assert all("505 tokens (backfill 1)" in (run.stopped or "") for run in runs)
    assert Spending(database).charge("backfill 1", 0, used)
    assert not Spending(database).charge("backfill 1", 1, used)


def test_a_limit_that_another_one_stops_is_not_charged(database: Database) -> None:
    """The limit of the day has room, that of the run has not."""
    spending, embedder = Spending(database), Counting()
    budget = Budget((TokenLimit("day", 1000), TokenLimit("run", 5)))

    work(RunBudget(budget, spending, embedder), embedder)

    assert embedder.tokens_used == 0
    assert spending.charge("day", 1000, 1000)


def test_chunks_beyond_a_deadline_stay_pending(database: Database) -> None:
    """The batches that were given out are committed, and the report says why it is not more."""
    embedder = HashEmbedder()
    moments = iter([datetime(2026, 1, 1, 5, tzinfo=UTC)] * 2 + [datetime(2026, 1, 1, 6, tzinfo=UTC)])
    store_chunks(database, [f"text {number}" for number in range(10)])
    budget = Budget(deadline=datetime(2026, 1, 1, 6, tzinfo=UTC))

    vectorizer = make_vectorizer(database, embedder)
    run = RunBudget(budget, Spending(database), embedder, lambda: next(moments))
    report = vectorizer.vectorize_partition(KEY, budget=run)

    assert (report.vectorized_count, report.total) == (8, 10)
    assert "deadline" in (report.stopped or "")


def test_sums_are_kept_by_partition_and_day(database: Database) -> None:
    """And read by market, document type, company and day."""
    spending = Spending(database)
    spending.record("space", KEY, 100, 0.5, "USD")
    spending.record("space", KEY, 20, 0.1, "USD")

    found = {(item.kind, item.name): (item.tokens, round(item.cost, 6)) for item in spending.grouped()}

    today = f"{datetime.now(UTC):%Y-%m-%d}"
    names = {("market", "us"), ("doc_type", "annual_report"), ("company", "XTEST"), ("day", today)}
    assert found == dict.fromkeys(names, (120, 0.6))


def test_a_budget_is_made_of_config_and_settings() -> None:
    """Money is converted by the price; the lower limit holds; days are those of UTC."""
    settings = load_settings(max_tokens_per_day=7_000_000, max_cost_per_day=1.0)

    budget = make_budget(settings, 0.5, "run 1", 10_000_000, 2.5, "2030-01-01T00:00+00:00")

    day = day_of_limit(datetime.now(UTC))
    assert budget is not None
    assert budget.limits == (TokenLimit("run 1", 5_000_000), TokenLimit(day, 2_000_000))
    assert budget.deadline == datetime(2030, 1, 1, tzinfo=UTC)
    assert make_budget(load_settings(), None, "run 1") is None
    with pytest.raises(InvalidSetting, match="EMBEDDING_PRICE_PER_MILLION"):
        make_budget(load_settings(), None, "run 1", max_cost=1.0)


@pytest.mark.parametrize("deadline", ["tomorrow", "25:00", "2026-13-01"])
def test_a_deadline_that_is_no_time_is_refused(deadline: str) -> None:
    """With what to write."""
    with pytest.raises(InvalidSetting, match="Write 06:00"):
        make_budget(load_settings(), None, "run 1", deadline=deadline)


def test_a_deadline_without_a_day_is_the_next_one() -> None:
    """Also where that is tomorrow."""
    hour_ago = datetime.now().astimezone() - timedelta(hours=1)

    budget = make_budget(load_settings(), None, "run 1", deadline=f"{hour_ago:%H:%M}")

    assert budget is not None
    assert budget.deadline is not None
    assert timedelta(hours=22) < budget.deadline - datetime.now(UTC) < timedelta(hours=24)
