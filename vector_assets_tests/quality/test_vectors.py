"""Every planted fault is found as what it is, and good vectors are left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vector_assets.domain.chunks import TokenizedText, text_hash
from vector_assets.errors import BadVectors
from vector_assets.quality.vectors import BadRow, ExpectedNorm, Fault, inspect_rows, seen_as

from .vector_rows import DIMENSION, keys, rotated, unit_rows


def faults(found: list[BadRow]) -> dict[int, Fault]:
    """Index -> fault."""
    return {bad.index: bad.fault for bad in found}


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 64), dimension=st.sampled_from([16, 64, 384, 1024]))
def test_random_directions_are_good(seed: int, count: int, dimension: int) -> None:
    """Whatever the batch's size."""
    assert inspect_rows(unit_rows(count, seed, dimension), keys(count), dimension) == []


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_rounding_is_no_fault(seed: int) -> None:
    """Of the arithmetic: to 8 bits, to bfloat16 (by its upper 16 bits) or to float16."""
    vectors = unit_rows(64, seed)
    step = np.abs(vectors).max(axis=1, keepdims=True) / 127
    int8 = np.rint(vectors / step) * step
    bfloat16 = ((vectors.view(np.uint32) + 0x8000) & 0xFFFF0000).view(np.float32)
    for rounded in (int8, bfloat16, vectors.astype(np.float16).astype(np.float32)):
        assert inspect_rows(rounded.astype(np.float32), keys(64), DIMENSION) == []


@given(
    numbers=st.lists(st.floats(width=32), min_size=1, max_size=40),
    count=st.integers(0, 8),
    dimension=st.integers(1, 40),
    dtype=st.sampled_from([np.float32, np.float64]),
)
@pytest.mark.filterwarnings("error")
def test_any_floats_get_an_answer(numbers: list[float], count: int, dimension: int, dtype: type) -> None:
    """One fault a row at most, in order, told in one line, and no warning from numpy."""
    vectors: np.ndarray = np.resize(np.array(numbers, dtype), (count, dimension))

    found = inspect_rows(vectors, keys(count), dimension)

    assert [bad.index for bad in found] == sorted({bad.index for bad in found})
    assert all(bad.message and "\n" not in bad.message for bad in found)


@pytest.mark.parametrize(
    ("value", "fault", "message"),
    [
        (np.nan, Fault.NOT_FINITE, "component 7 is nan; 1 of 384 are not finite as float16"),
        (np.inf, Fault.NOT_FINITE, "component 7 is inf; 1 of 384 are not finite as float16"),
        (-1e6, Fault.NOT_FINITE, "component 7 is -1e+06; 1 of 384 are not finite as float16"),
        (60_000.0, Fault.WRONG_NORM, "length 60000; vectors of this space have 1 ± 0.01"),
    ],
)
def test_a_component_that_is_out_of_place(value: float, fault: Fault, message: str) -> None:
    """Beyond what float16 holds, or only beyond what the length allows."""
    vectors = unit_rows(32)
    vectors[5, 7] = value

    assert inspect_rows(vectors, keys(32), DIMENSION) == [BadRow(5, fault, message)]


@pytest.mark.parametrize("value", [0.0, 1e-9])
def test_a_zero_row(value: float) -> None:
    """Also if it is zero only once it is stored."""
    vectors = unit_rows(32)
    vectors[[3, 9]] = value

    found = inspect_rows(vectors, keys(32), DIMENSION)

    assert faults(found) == {3: Fault.ZERO, 9: Fault.ZERO}
    assert found[0].message == f"all components are 0 as float16; the largest is {value:.3g}"


@pytest.mark.parametrize("given_", [383, 768])
def test_another_dimension(given_: int) -> None:
    """Then each row has it."""
    found = inspect_rows(unit_rows(3, dimension=given_), keys(3), DIMENSION)

    assert faults(found) == dict.fromkeys(range(3), Fault.WRONG_DIMENSION)
    assert found[0].message == f"{given_} components instead of 384"


@pytest.mark.parametrize("scale", [0.5, 0.98, 1.02, 3.0])
def test_scaled_rows(scale: float) -> None:
    """As from an embedder that left the normalizing out."""
    vectors = unit_rows(32)
    vectors[10:12] *= scale

    found = inspect_rows(vectors, keys(32), DIMENSION)

    assert faults(found) == {10: Fault.WRONG_NORM, 11: Fault.WRONG_NORM}
    assert inspect_rows(vectors[10:12], keys(2), DIMENSION, ExpectedNorm(scale, 0.01)) == []


@pytest.mark.parametrize(("level", "noise"), [(1 / np.sqrt(DIMENSION), 0.0), (-0.05, 0.001), (3.0, 0.1)])
def test_rows_that_are_nearly_constant(level: float, noise: float) -> None:
    """Of whatever length, and though they are alike as well."""
    vectors = unit_rows(32)
    vectors[[0, 31]] = level + noise * np.random.default_rng(1).normal(size=(2, DIMENSION))

    found = inspect_rows(vectors, keys(32), DIMENSION)

    assert faults(found) == {0: Fault.NEARLY_CONSTANT, 31: Fault.NEARLY_CONSTANT}


def test_a_nearly_constant_row_says_how_nearly() -> None:
    """With the level and what is left of a variation."""
    vectors = unit_rows(2)
    vectors[0] = np.where(np.arange(DIMENSION) % 2, 0.0501, 0.0499)

    (found,) = inspect_rows(vectors, keys(2), DIMENSION)

    assert found.message == "all 384 components are about 0.05; they vary by 0.0001"


@given(st.permutations(range(32)), st.integers(2, 32), st.floats(0, 1e-7))
def test_one_vector_for_several_texts(order: list[int], count: int, noise: float) -> None:
    """Wherever they stand, and if the last bits differ. Which of them is right cannot be known."""
    vectors, twins = unit_rows(32), order[:count]
    vectors[twins] = vectors[twins[0]] + noise * unit_rows(count, seed=1)

    found = inspect_rows(vectors, keys(32), DIMENSION)

    assert faults(found) == dict.fromkeys(sorted(twins), Fault.COLLAPSED)


def test_collapsed_rows_name_each_other() -> None:
    """Three rows, of which two have the same text."""
    vectors = unit_rows(8)
    vectors[[4, 6]] = vectors[1]
    texts = keys(8)
    texts[4] = texts[1]

    found = inspect_rows(vectors, texts, DIMENSION)

    assert [(bad.index, bad.message) for bad in found] == [
        (1, "the same vector as row 6, whose text is another"),
        (4, "the same vector as row 6, whose text is another"),
        (6, "the same vector as row 1, whose text is another"),
    ]


def test_one_text_twice_may_have_one_vector() -> None:
    """It must."""
    vectors = unit_rows(32)
    vectors[:16] = vectors[0]

    assert inspect_rows(vectors, [*[b"one text"] * 16, *keys(16)], DIMENSION) == []
    assert inspect_rows(vectors[[0, 20, 0, 20]], [b"one text", b"other"] * 2, DIMENSION) == []


@pytest.mark.parametrize("distance", [0.001, 0.0046])
def test_texts_that_are_nearly_the_same_are_not_collapsed(distance: float) -> None:
    """The nearest that were found in filings were 0.0046 apart."""
    vectors = unit_rows(32)
    vectors[1:] = vectors[0] + distance * unit_rows(31, seed=1)

    assert inspect_rows(vectors, keys(32), DIMENSION) == []


def test_each_fault_in_one_batch() -> None:
    """None hides another, and a bad row is no twin of a good one."""
    vectors = unit_rows(32)
    vectors[0] = np.nan
    vectors[1] = 0
    vectors[2] = 0.05
    vectors[3] = 2 * vectors[20]
    vectors[4] = vectors[5]

    assert faults(inspect_rows(vectors, keys(32), DIMENSION)) == {
        0: Fault.NOT_FINITE,
        1: Fault.ZERO,
        2: Fault.NEARLY_CONSTANT,
        3: Fault.WRONG_NORM,
        4: Fault.COLLAPSED,
        5: Fault.COLLAPSED,
    }


def test_what_rows_alone_do_not_tell() -> None:
    """Swapped rows, and other weights: those need the texts' own vectors, see the reference_vectors."""
    vectors = unit_rows(32)

    assert inspect_rows(vectors[::-1], keys(32), DIMENSION) == []
    assert inspect_rows(rotated(vectors), keys(32), DIMENSION) == []


@pytest.mark.parametrize(
    "vectors",
    [unit_rows(31), unit_rows(33), unit_rows(32)[0], np.ones((32, DIMENSION), np.int8)],
    ids=["too few", "too many", "not a matrix", "not floats"],
)
def test_an_answer_without_a_row_for_each_text(vectors: np.ndarray) -> None:
    """No row is to blame."""
    with pytest.raises(BadVectors, match="instead of"):
        inspect_rows(vectors, keys(32), DIMENSION)


def test_texts_are_told_apart_as_the_model_sees_them() -> None:
    """By their tokens, or where they are not kept, by the text."""
    one = TokenizedText("Net sales", 4, 4, 0, np.array([101, 5658, 4341, 102], np.int32))
    same = TokenizedText("net\nsales", 4, 4, 0, np.array([101, 5658, 4341, 102], np.int32))
    other = TokenizedText("Net costs", 4, 4, 0, np.array([101, 5658, 5366, 102], np.int32))

    assert seen_as(one) == seen_as(same) != seen_as(other)
    assert seen_as(TokenizedText("董事会", 5, 5, 3)) == text_hash("董事会")


def test_few_components_are_not_judged_by_their_evenness() -> None:
    """With one of them every vector is constant."""
    assert inspect_rows(np.ones((1, 1), np.float32), keys(1), 1) == []
    assert inspect_rows(np.full((1, 4), 0.5, np.float32), keys(1), 4) == []
