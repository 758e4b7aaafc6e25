"""How far the build of an index is, and how long it will go on."""

from dataclasses import dataclass
from enum import StrEnum

from ..domain.wording import readable_bytes, readable_seconds
from ..translation import marked, translate
from .forecast import build_effort


class BuildPhase(StrEnum):
    """What a concurrent build does: it waits for transactions, builds, and adds what was written meanwhile."""

    WAITING = marked("waiting for other transactions")
    BUILDING = marked("building")
    VALIDATING = marked("validating")
    DONE = marked("built")


@dataclass(frozen=True)
class BuildSample:
    """What pg_stat_progress_create_index says at a moment: the table's blocks read, and the vectors put in."""

    phase: BuildPhase
    blocks_done: int
    blocks_total: int
    tuples_done: int
    spilled: bool = False


@dataclass(frozen=True)
class BuildProgress:
    """How far a build is. `memory_bytes` is what the graph takes by now, as forecast for the vectors it has."""

    phase: BuildPhase
    vectors_done: int
    vectors_total: int
    percent: float
    elapsed_seconds: float
    vectors_per_second: float | None
    seconds_left: float | None
    memory_bytes: int
    granted_bytes: int
    spilled: bool

    def line(self) -> str:
        """Write the progress, e.g. `41,200/100,000 vectors (41.2%) · 3,120 vectors/s · 19 s left · 57 of 160 MiB`."""
        parts = [
            translate(
                "{done:,}/{total:,} vectors ({percent:.1f}%)",
                done=self.vectors_done,
                total=self.vectors_total,
                percent=self.percent,
            )
        ]
        if self.phase is not BuildPhase.BUILDING:
            parts.append(translate(self.phase.value))
        if self.vectors_per_second is not None:
            parts.append(translate("{speed:,.0f} vectors/s", speed=self.vectors_per_second))
        if self.seconds_left is not None:
            parts.append(translate("{duration} left", duration=readable_seconds(self.seconds_left)))
        memory, granted = readable_bytes(self.memory_bytes), readable_bytes(self.granted_bytes)
        parts.append(translate("{memory} of {granted}", memory=memory, granted=granted))
        if self.spilled:
            parts.append(translate("spilled to disk"))
        return " · ".join(parts)


class BuildMeter:
    """Makes progress of samples.

    The time left is the effort to come at the pace so far, for each further vector takes longer. Once the graph has
    spilled, it is the vectors to come at the speed since.

    Args:
        vectors: how many the table has.
        memory_bytes: what the whole graph needs, as forecast.
        granted_bytes: maintenance_work_mem.
    """

    def __init__(self, vectors: int, memory_bytes: int, granted_bytes: int) -> None:
        self._vectors = vectors
        self._memory_bytes = memory_bytes
        self._granted_bytes = granted_bytes
        self._began: tuple[float, float] | None = None
        self._spilled_at: tuple[float, float] | None = None

    def progress(self, sample: BuildSample, seconds: float) -> BuildProgress:
        """Make progress of a sample that was taken so many seconds after the build began."""
        done = self._vectors_done(sample)
        if sample.phase is BuildPhase.BUILDING and self._began is None:
            self._began = seconds, done
        if sample.spilled and self._spilled_at is None:
            self._spilled_at = seconds, done
        share = done / self._vectors if self._vectors else 1.0
        speed = _speed(self._spilled_at or self._began, (seconds, done))
        return BuildProgress(
            sample.phase,
            round(done),
            self._vectors,
            100 * share,
            seconds,
            speed if sample.phase is BuildPhase.BUILDING else None,
            self._seconds_left(sample, seconds, done),
            min(round(self._memory_bytes * share), self._granted_bytes),
            self._granted_bytes,
            sample.spilled,
        )

    def done(self, seconds: float, spilled: bool) -> BuildProgress:
        """Make the progress of a build that ended after so many seconds."""
        speed = self._vectors / seconds if seconds > 0 else None
        memory = min(self._memory_bytes, self._granted_bytes)
        return BuildProgress(
            BuildPhase.DONE,
            self._vectors,
            self._vectors,
            100.0,
            seconds,
            speed,
            0.0,
            memory,
            self._granted_bytes,
            spilled,
        )

    def _vectors_done(self, sample: BuildSample) -> float:
        """Estimate it by the blocks, because what is counted has other rows' versions, and starts anew at the end."""
        if sample.phase is BuildPhase.WAITING and self._began is None:
            return 0.0
        if sample.phase is not BuildPhase.BUILDING:
            return float(self._vectors)
        share = sample.blocks_done / sample.blocks_total if sample.blocks_total else 0.0
        return self._vectors * min(share, 1.0)

    def _seconds_left(self, sample: BuildSample, seconds: float, done: float) -> float | None:
        if sample.phase is not BuildPhase.BUILDING or self._began is None:
            return None
        if self._spilled_at is not None:
            speed = _speed(self._spilled_at, (seconds, done))
            return (self._vectors - done) / speed if speed else None
        began, at_first = self._began
        effort = build_effort(done) - build_effort(at_first)
        if effort <= 0 or seconds <= began:
            return None
        return (build_effort(self._vectors) - build_effort(done)) * (seconds - began) / effort


def _speed(since: tuple[float, float] | None, now: tuple[float, float]) -> float | None:
    if since is None or now[0] <= since[0]:
        return None
    return (now[1] - since[1]) / (now[0] - since[0])
