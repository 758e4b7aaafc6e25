"""Batches are given out as long as the budget holds. What was given out is finished, and the rest stays pending."""

import threading
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime

from ..domain.budgets import Budget, overdue, used_up
from ..ports import Embedder, SpentTokens
from .windows import Batch


class RunBudget:
    """The budget of one run. The thread of the loop takes batches, others say when they are embedded.

    A batch is charged with the tokens that it is expected to have before it is embedded, and with those that the server
    has counted after that. So runs that share a limit exceed it by no more than the estimates are wrong.

    Args:
        budget: the limits.
        spent: where the tokens of all runs are added up.
        embedder: counts the tokens that its server has used; one without a server has used those of its batches.
        clock: the time now.
    """

    def __init__(
        self,
        budget: Budget,
        spent: SpentTokens,
        embedder: Embedder,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._budget = budget
        self._spent = spent
        self._embedder = embedder
        self._clock = clock
        self._lock = threading.Lock()
        self._used_before = embedder.tokens_used or 0
        self._done = self._in_work = self._charged = 0
        self.stopped: str | None = None
        """Why batches were left out; None: none was."""

    def take(self, batches: Iterator[Batch]) -> Generator[Batch]:
        """Give the batches out, until a limit is reached."""
        for batch in batches:
            self.stopped = self._refuses(_tokens(batch))
            if self.stopped is not None:
                return
            yield batch

    def embedded(self, batch: Batch) -> None:
        """Note that a batch was embedded, and how many tokens it had."""
        with self._lock:
            self._in_work -= _tokens(batch)
            self._done += _tokens(batch)

    def close(self) -> None:
        """Charge what was used in the end, and no more."""
        with self._lock:
            more = self._used - self._charged
            self._charged += more
        for limit in self._budget.limits:
            self._spent.charge(limit.name, more, None)

    @property
    def _used(self) -> int:
        total = self._embedder.tokens_used
        return self._done if total is None else total - self._used_before

    def _refuses(self, tokens: int) -> str | None:
        deadline = self._budget.deadline
        if deadline is not None and self._clock() >= deadline:
            return overdue(deadline)
        with self._lock:
            more = self._used + self._in_work + tokens - self._charged
            self._in_work += tokens
            self._charged += more
        charged = []
        for limit in self._budget.limits:
            if self._spent.charge(limit.name, more, limit.tokens):
                charged.append(limit)
                continue
            for other in charged:
                self._spent.charge(other.name, -more, None)
            with self._lock:
                self._in_work -= tokens
                self._charged -= more
            return used_up(limit)
        return None


def _tokens(batch: Batch) -> int:
    return sum(chunk.tokens.tokens_embedded for chunk in batch.chunks)
