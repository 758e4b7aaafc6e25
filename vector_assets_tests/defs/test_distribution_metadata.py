"""What a materialization says of its vectors as a whole: figures always, a chart where the run was long enough."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from vector_assets.charts.vectors_chart import MIN_RUN_SECONDS
from vector_assets.defs.distribution_metadata import distribution_metadata
from vector_assets.domain.reports import StageSeconds, VectorizeReport
from vector_assets.domain.spaces import Vectors
from vector_assets.quality.distribution import Distribution
from vector_assets.quality.vector_summary import VectorSummary

from ..quality.vector_rows import issuer


def figures(vectors: Vectors, former: VectorSummary | None = None, seconds: float = 1.0) -> Mapping[str, Any]:
    count = len(vectors)
    distribution = Distribution(vectors.shape[1])
    distribution.add(range(count), vectors, range(1, count + 1))
    report = VectorizeReport("run", count, 1, count, 0, 0, 0, 0, 0, 0, 0, seconds, StageSeconds())
    return {name: value.value for name, value in distribution_metadata(distribution, former, report, 256).items()}


def test_token_lengths_are_figures_that_dagster_plots() -> None:
    """Median, 95th percentile and longest, as numbers."""
    found = figures(issuer(0, 200))

    assert found["token_length/median"] == 100
    assert found["token_length/percentile_95"] == 190
    assert found["token_length/longest"] == 200


@pytest.mark.parametrize(("seed", "shifted"), [(0, False), (1, True)])
def test_a_shift_from_the_former_vectors_is_shown(seed: int, shifted: bool) -> None:
    """With its distance, and the distance that chance explains."""
    found = figures(issuer(seed), VectorSummary.of(issuer(0)))

    assert found["vectors/shifted"] is shifted
    assert (found["vectors/shift"] > found["vectors/shift_by_chance"]) is shifted
    assert (found["vectors/mean_cosine_with_former"] < 0.9) is shifted


def test_before_the_second_run_there_is_no_shift() -> None:
    """Nor is there a distance where the vectors do not spread."""
    first, one = figures(issuer(0)), figures(issuer(0, 1), VectorSummary.of(issuer(0, 1)))

    assert not [name for name in first if "shift" in name or "former" in name]
    assert "vectors/mean_cosine_with_former" in one
    assert "vectors/shift" not in one


@pytest.mark.parametrize(("seconds", "drawn"), [(MIN_RUN_SECONDS, True), (MIN_RUN_SECONDS - 0.001, False)])
def test_only_a_long_run_has_a_chart(seconds: float, drawn: bool) -> None:
    """Drawing takes so long that a short run would feel it."""
    found = figures(issuer(0), seconds=seconds)

    assert ("vectors_chart" in found) is drawn
    assert not drawn or found["vectors_chart"].startswith("![")


def test_a_run_that_stored_nothing_says_nothing() -> None:
    """There are no vectors to describe."""
    assert figures(np.empty((0, 384), np.float32), VectorSummary.of(issuer(0)), MIN_RUN_SECONDS) == {}
