"""The graph that an index is: how many links a vector has, and how carefully they are chosen."""

from dataclasses import dataclass

_LARGE_FROM = 300_000


@dataclass(frozen=True)
class Graph:
    """How a graph is made.

    A vector has `links` to others (pgvector's `m`; twice as many on the lowest level), chosen among `candidates`
    (`ef_construction`). `cost` is how many times as long as the usual graph it takes to build.
    """

    links: int
    candidates: int
    cost: float

    @property
    def memory_bytes(self) -> int:
        """What a vector takes in memory during the build, beside its components: 700 bytes with 16 links (measured)."""
        return 188 + 32 * self.links

    @property
    def index_bytes(self) -> int:
        """What a vector takes in the finished index, beside its components: 6 bytes a link, and its own fields."""
        return 108 + 12 * self.links


USUAL = Graph(links=16, candidates=64, cost=1.0)
LARGE = Graph(links=24, candidates=128, cost=2.5)
"""Where so many vectors are alike that 16 links lead past some of them."""


def graph_for(vectors: int) -> Graph:
    """Choose the graph for so many vectors. See docs/decisions."""
    return LARGE if vectors >= _LARGE_FROM else USUAL
