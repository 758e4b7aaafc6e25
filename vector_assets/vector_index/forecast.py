"""Forecast what the build of an index takes: memory, disk and time."""

import math
from dataclasses import dataclass

# A vector in the graph of a build beside its components (2 bytes each): the neighbors of its levels and what the
# allocator adds. It holds for pgvector's m of 16.
_GRAPH_ROW_BYTES = 700
# The memory of a build ends a little before maintenance_work_mem does.
_ROOM = 1.1
# Less would be refused by PostgreSQL.
_LEAST_MEMORY = 1 << 20
# A vector in the finished index beside its components; whole vectors fill a page of 8 kB.
_INDEX_ROW_BYTES = 300
# Where no build was measured on the server: 100,000 vectors in half a minute. See docs/decisions.
_SECONDS_PER_EFFORT = 30 / (100_000 * math.log2(100_000))
# A graph that no longer fits into memory grows by so many vectors in a second.
_SPILLED_VECTORS_PER_SECOND = 434.0


@dataclass(frozen=True)
class BuildForecast:
    """What the build of an index over so many vectors takes.

    `memory_bytes` is what the graph needs, `granted_bytes` is the maintenance_work_mem that the build is to have. It
    spills where this is less.
    """

    vectors: int
    memory_bytes: int
    granted_bytes: int
    index_bytes: int
    seconds: float

    @property
    def spills(self) -> bool:
        """Whether the graph will not fit into the memory granted."""
        return self.granted_bytes < self.memory_bytes


@dataclass(frozen=True)
class MeasuredBuild:
    """How long a former build on the same server took."""

    vectors: int
    seconds: float


def build_effort(vectors: float) -> float:
    """Give the work of a build up to so many vectors: each one is searched for in a graph of those before it."""
    return vectors * math.log2(vectors + 2)


def forecast_build(
    vectors: int, dimension: int, allowed_bytes: int, measured: MeasuredBuild | None = None
) -> BuildForecast:
    """Forecast a build that may use at most `allowed_bytes` of memory."""
    row_bytes = 2 * dimension + _GRAPH_ROW_BYTES
    needed = vectors * row_bytes
    granted = min(max(math.ceil(_ROOM * needed), _LEAST_MEMORY), max(allowed_bytes, _LEAST_MEMORY))
    fitting = min(vectors, granted // row_bytes)
    pace = _SECONDS_PER_EFFORT
    if measured is not None and measured.vectors > 0:
        pace = measured.seconds / build_effort(measured.vectors)
    seconds = pace * build_effort(fitting) + (vectors - fitting) / _SPILLED_VECTORS_PER_SECOND
    page_rows = max(8000 // (2 * dimension + _INDEX_ROW_BYTES), 1)
    return BuildForecast(vectors, needed, granted, math.ceil(vectors / page_rows) * 8192, seconds)
