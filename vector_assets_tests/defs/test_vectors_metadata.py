"""What a materialization of vectors says: the main figures first, all others in one table."""

from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg
import numpy as np
import pytest

from vector_assets.charts.vectors_chart import MIN_RUN_SECONDS
from vector_assets.defs.progress_events import ProgressEvents
from vector_assets.defs.vectors_metadata import VectorsTotals, distribution_figures
from vector_assets.domain.coverage import PartitionStatus
from vector_assets.domain.reports import StageSeconds, VectorizeReport
from vector_assets.domain.spaces import Vectors
from vector_assets.quality.distribution import Distribution
from vector_assets.quality.vector_summary import VectorSummary

from ..fakes import SPACE
from ..quality.vector_rows import issuer
from .conftest import US


def distribution_of(vectors: Vectors) -> Distribution:
    """Collect the vectors as a run does, with one more token each."""
    distribution = Distribution(vectors.shape[1])
    distribution.add(range(len(vectors)), vectors, range(1, len(vectors) + 1))
    return distribution


def shown(failed: int = 0, pending: int = 0, seconds: float = 1.0, company: str = "") -> Mapping[str, dg.MetadataValue]:
    """Give the metadata of a run over 200 chunks."""
    report = VectorizeReport("run", 200, 7, 200 - failed, 0, failed, 40_000, 40_000, 0, 0, 0, seconds, StageSeconds())
    status = PartitionStatus(US, 1200, pending, failed, datetime.now(UTC) if pending else None, None)
    events = ProgressEvents(dg.build_asset_context(), US, 1.0, "batch")
    return VectorsTotals(report, status, company, SPACE, "CPU", [], events, distribution_of(issuer(0)), None).metadata()


def test_the_main_figures_come_first_and_plots_show_what_may_change() -> None:
    """A sentence, the coverage, the size and the speed; numbers, and no zeros among them."""
    entries = shown(company="Invented Corporation")

    assert list(entries)[:6] == [
        "summary", "coverage_percent", "chunks", "vectorized", "chunks_per_second", "seconds",
    ]  # fmt: skip
    assert len(entries) <= 11
    numbers = {name: entry.value for name, entry in entries.items() if isinstance(entry.value, (int, float))}
    assert numbers == {
        "coverage_percent": 100.0, "chunks": 1200, "vectorized": 200, "chunks_per_second": 200.0, "seconds": 1.0,
    }  # fmt: skip
    assert entries["company"].value == f"Invented Corporation {US.stock_code}"


def test_what_is_wrong_is_among_the_main_figures() -> None:
    """Failed, pending and quarantined chunks are counted where there are any."""
    entries = shown(failed=3, pending=5)

    assert [entries[name].value for name in ("failed", "pending", "quarantined")] == [3, 5, 3]


@pytest.mark.parametrize(("seconds", "drawn"), [(MIN_RUN_SECONDS, True), (MIN_RUN_SECONDS - 0.001, False)])
def test_only_a_long_run_has_a_chart(seconds: float, drawn: bool) -> None:
    """Drawing takes so long that a short run would feel it."""
    entries = shown(seconds=seconds)

    assert ("vectors_chart" in entries) is drawn
    assert not drawn or str(entries["vectors_chart"].value).startswith("![")


def test_token_lengths_are_described() -> None:
    """Median, 95th percentile and longest."""
    found = dict(distribution_figures(distribution_of(issuer(0, 200)), None))

    lengths = [found[f"token length: {name}"] for name in ("median", "95th percentile", "longest")]
    assert lengths == ["100", "190", "200"]


@pytest.mark.parametrize(("seed", "shifted"), [(0, False), (1, True)])
def test_a_shift_from_the_former_vectors_is_shown(seed: int, shifted: bool) -> None:
    """With its distance, and the distance that chance explains."""
    found = dict(distribution_figures(distribution_of(issuer(seed)), VectorSummary.of(issuer(0))))

    assert found["vectors: shift"].endswith("have shifted)") is shifted
    assert (float(found["vectors: cosine of the mean with the former one"]) < 0.9) is shifted


def test_before_the_second_run_there_is_no_shift() -> None:
    """Nor is there a distance where the vectors do not spread."""
    first = dict(distribution_figures(distribution_of(issuer(0)), None))
    one = dict(distribution_figures(distribution_of(issuer(0, 1)), VectorSummary.of(issuer(0, 1))))

    assert not [name for name in first if "shift" in name or "former" in name]
    assert "vectors: cosine of the mean with the former one" in one
    assert "vectors: shift" not in one


def test_a_run_that_stored_nothing_describes_no_vectors() -> None:
    """There are none."""
    nothing = distribution_of(np.empty((0, 384), np.float32))

    assert list(distribution_figures(nothing, VectorSummary.of(issuer(0)))) == []
