"""Which versions of pgvector can be trusted with an index."""

from enum import Enum, auto

NEEDED = "0.8.2"
"""Before it, parallel builds could write beyond their memory."""
WISHED = "0.8.4"
"""Before it, VACUUM could damage an index."""


class IndexSupport(Enum):
    """Whether a version may build an index."""

    REFUSED = auto()
    RISKY = auto()
    GOOD = auto()


def index_support(version: str) -> IndexSupport:
    """Judge a version, e.g. `0.8.5`."""
    if _numbers(version) < _numbers(NEEDED):
        return IndexSupport.REFUSED
    return IndexSupport.RISKY if _numbers(version) < _numbers(WISHED) else IndexSupport.GOOD


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
