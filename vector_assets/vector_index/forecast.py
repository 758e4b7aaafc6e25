"""Forecast what the build of an index takes: memory, disk and time."""

import math
from dataclasses import dataclass

from .graph import Graph, graph_for

# The memory of a build ends a little before maintenance_work_mem does.
_ROOM = 1.1
# Less would be refused by PostgreSQL.
_LEAST_MEMORY = 1 << 20
# Whole vectors fill a page of 8 kB, of which its own fields leave so many bytes.
_PAGE_ROOM = 8150
# Where no build was measured on the server: 100,000 vectors in half a minute, with the usual graph. See docs/decisions.
_SECONDS_PER_EFFORT = 30 / (100_000 * math.log2(100_000))
# The usual graph, once it no longer fits into memory, grows by so many vectors in a second.
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
    graph: Graph

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
    graph = graph_for(vectors)
    row_bytes = 2 * dimension + graph.memory_bytes
    needed = vectors * row_bytes
    granted = min(max(math.ceil(_ROOM * needed), _LEAST_MEMORY), max(allowed_bytes, _LEAST_MEMORY))
    fitting = min(vectors, granted // row_bytes)
    pace = _SECONDS_PER_EFFORT
    if measured is not None and measured.vectors > 0:
        pace = measured.seconds / build_effort(measured.vectors) / graph_for(measured.vectors).cost
    seconds = graph.cost * (pace * build_effort(fitting) + (vectors - fitting) / _SPILLED_VECTORS_PER_SECOND)
    page_rows = max(_PAGE_ROOM // (2 * dimension + graph.index_bytes), 1)
    return BuildForecast(vectors, needed, granted, math.ceil(vectors / page_rows) * 8192, seconds, graph)
