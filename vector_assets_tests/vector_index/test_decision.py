"""What is to be done about an index."""

import pytest

from vector_assets.vector_index.decision import IndexState, IndexStep, VectorIndex, next_step
from vector_assets.vector_index.pgvector_versions import IndexSupport, index_support

GOOD = VectorIndex(1, True, 1000, ef_search=60, built_vectors=100, built_bytes=1000, build_seconds=1.0)
GROWN = VectorIndex(1, True, 1600, ef_search=60, built_vectors=100, built_bytes=1000, build_seconds=1.0)
UNRECORDED = VectorIndex(1, True, 1000)
BROKEN = VectorIndex(2, False, 0)


@pytest.mark.parametrize(
    ("vectors", "pending", "indexes", "rebuild", "step"),
    [
        (99, 0, (), False, IndexStep.NO_INDEX),
        (99, 0, (), True, IndexStep.NO_INDEX),
        (100, 0, (), False, IndexStep.BUILD),
        (100, 101, (), False, IndexStep.WAIT),
        (100, 101, (), True, IndexStep.BUILD),
        (100, 0, (GOOD,), False, IndexStep.CHECK),
        (99, 0, (GOOD,), False, IndexStep.CHECK),
        (100, 0, (GOOD,), True, IndexStep.REBUILD),
        (100, 0, (GROWN,), False, IndexStep.REBUILD),
        (160, 0, (GROWN,), False, IndexStep.CHECK),
        (100, 0, (UNRECORDED,), False, IndexStep.CHECK),
        (100, 0, (BROKEN,), False, IndexStep.BUILD),
    ],
)
def test_the_next_step(
    vectors: int, pending: int, indexes: tuple[VectorIndex, ...], rebuild: bool, step: IndexStep
) -> None:
    """Few vectors need none, a space that is being filled waits, and one that has grown is built again."""
    assert next_step(IndexState(vectors, pending, "0.8.5", indexes), 100, rebuild) is step


def test_a_new_index_gets_a_number_that_none_has() -> None:
    """Numbers stay small, because they are part of names."""
    assert IndexState(0, 0, "", ()).next_generation == 1
    assert IndexState(0, 0, "", (GOOD, BROKEN)).next_generation == 3
    assert IndexState(0, 0, "", (BROKEN,)).next_generation == 1


@pytest.mark.parametrize(
    ("version", "support"),
    [
        ("0.7.4", IndexSupport.REFUSED),
        ("0.8.1", IndexSupport.REFUSED),
        ("0.8.2", IndexSupport.RISKY),
        ("0.8.3", IndexSupport.RISKY),
        ("0.8.4", IndexSupport.GOOD),
        ("0.10.0", IndexSupport.GOOD),
        ("1.0", IndexSupport.GOOD),
    ],
)
def test_versions_of_pgvector(version: str, support: IndexSupport) -> None:
    """By number, not by letter."""
    assert index_support(version) is support
