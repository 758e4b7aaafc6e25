"""Drift is distinguished from rounding, and the text that shows it is named."""

import numpy as np
import pytest

from vector_assets.quality.drift import REFERENCE_TEXTS, REFERENCE_TEXTS_DIGEST, compare_reference_vectors
from vector_assets.quality.limits import QualityLimits

from .vector_rows import rotated, unit_rows

STORED = unit_rows(len(REFERENCE_TEXTS))
MIN_COSINE = QualityLimits().min_drift_cosine


def test_the_same_vectors_have_not_drifted() -> None:
    """Nor have they as they are stored, in float16, or rounded to 8 bits."""
    step = np.abs(STORED).max(axis=1, keepdims=True) / 127
    for stored in (STORED, STORED.astype(np.float16), (np.rint(STORED / step) * step).astype(np.float32)):
        result = compare_reference_vectors(stored.astype(np.float32), STORED, MIN_COSINE)

        assert not result.drifted
        assert result.lowest > 0.9995


@pytest.mark.parametrize("amount", [0.03, 1.0])
def test_other_weights_are_drift(amount: float) -> None:
    """However well formed their vectors are, and if they are near the former ones."""
    now = rotated(STORED, amount=amount)

    result = compare_reference_vectors(STORED, now, MIN_COSINE)

    assert np.linalg.norm(now, axis=1) == pytest.approx(1, abs=1e-5)
    assert result.drifted
    assert (result.lowest > 0.99) == (amount < 1)


def test_a_rotation_too_small_to_matter_is_none() -> None:
    """Below what rounding does."""
    assert not compare_reference_vectors(STORED, rotated(STORED, amount=0.005), MIN_COSINE).drifted


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_a_vector_without_direction_is_the_lowest(value: float) -> None:
    """It does not vanish in a comparison with NaN."""
    now = STORED.copy()
    now[3] = value

    result = compare_reference_vectors(STORED, now, MIN_COSINE)

    assert (result.drifted, result.lowest, result.text) == (True, -1.0, REFERENCE_TEXTS[3])


def test_swapped_vectors_are_drift() -> None:
    """Here the order is known."""
    assert compare_reference_vectors(STORED, STORED[::-1], MIN_COSINE).drifted


def test_length_is_no_drift() -> None:
    """Only the direction is compared."""
    assert not compare_reference_vectors(STORED, 3 * STORED, MIN_COSINE).drifted


@pytest.mark.parametrize("now", [STORED[:-1], STORED[:, :-1]])
def test_vectors_of_other_texts_or_spaces_are_refused(now: np.ndarray) -> None:
    """A cosine of them would mean nothing."""
    with pytest.raises(ValueError, match="reference vectors"):
        compare_reference_vectors(STORED, now, MIN_COSINE)


def test_the_texts_are_those_whose_vectors_are_stored() -> None:
    """Whoever edits them changes this line, and with it what stored vectors are compared with."""
    assert REFERENCE_TEXTS_DIGEST == "f181158fa022"
    assert len(set(REFERENCE_TEXTS)) == 4
