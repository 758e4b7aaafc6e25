"""How far everything is that runs on any number of machines embed at the moment."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..domain.progress import readable_share, readable_speed
from ..domain.runs_at_work import RunAtWork
from ..domain.wording import readable_seconds
from ..translation import ngettext, translate


@dataclass(frozen=True)
class NodeAtWork:
    """What the runs on one machine report."""

    name: str
    runs: int
    chunks_per_second: float
    partitions: tuple[str, ...]


@dataclass(frozen=True)
class WorkUnderWay:
    """All chunks of an embedding space, and the runs that embed the pending ones.

    Attributes:
        chunks: how many there are.
        pending: how many of them wait for their vectors, those of the runs included.
        runs: the last batch of each run, with the name of its machine.
    """

    chunks: int
    pending: int
    runs: Sequence[tuple[str, RunAtWork]]

    @property
    def done(self) -> int:
        """The chunks that are not pending."""
        return self.chunks - self.pending

    @property
    def percent(self) -> float:
        """Share of the chunks that are not pending, 0 to 100."""
        return 100.0 * self.done / self.chunks if self.chunks else 100.0

    @property
    def chunks_per_second(self) -> float:
        """The sum of the speeds of the runs."""
        return sum(run.chunks_per_second for _, run in self.runs)

    @property
    def seconds_left(self) -> float | None:
        """What the pending chunks take at this speed; None before there is one."""
        return self.pending / self.chunks_per_second if self.chunks_per_second else None

    def nodes(self) -> list[NodeAtWork]:
        """Give each machine with its runs, by name."""
        by_name: dict[str, list[RunAtWork]] = {}
        for name, run in self.runs:
            by_name.setdefault(name, []).append(run)
        return [
            NodeAtWork(
                name, len(runs), sum(run.chunks_per_second for run in runs), tuple(run.partition for run in runs)
            )
            for name, runs in sorted(by_name.items())
        ]

    def line(self) -> str:
        """Format it: `12,340/40,000 chunks (30.9%) · 412 chunks/s · 4 runs on 2 nodes · 1 min 7 s left`."""
        items = [readable_share(self.done, self.chunks), readable_speed(self.chunks_per_second), self._places()]
        if self.seconds_left is not None:
            items.append(translate("{duration} left", duration=readable_seconds(self.seconds_left)))
        return " · ".join(items)

    def _places(self) -> str:
        return translate(
            "{runs} on {nodes}",
            runs=ngettext("{number:,} run", "{number:,} runs", len(self.runs)),
            nodes=ngettext("{number:,} node", "{number:,} nodes", len(self.nodes())),
        )
