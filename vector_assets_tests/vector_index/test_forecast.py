"""What a build takes, and how far it is."""

import math

import pytest

from vector_assets.vector_index.build_progress import BuildMeter, BuildPhase, BuildSample
from vector_assets.vector_index.forecast import MeasuredBuild, build_effort, forecast_build

GIB = 1 << 30


def test_the_usual_graph_takes_as_much_memory_as_was_measured() -> None:
    """143 MiB for 100,000 vectors of 384 dimensions."""
    assert forecast_build(100_000, 384, GIB).memory_bytes == pytest.approx(143 << 20, rel=0.05)


def test_a_million_vectors_take_as_much_as_was_measured() -> None:
    """A graph of 1.59 GiB in memory, and an index of 1.14 GiB."""
    forecast = forecast_build(1_000_000, 384, 2 * GIB)

    assert forecast.memory_bytes == pytest.approx(1.59 * GIB, rel=0.05)
    assert forecast.index_bytes == pytest.approx(1.14 * GIB, rel=0.05)


def test_a_million_vectors_need_a_graph_with_more_links() -> None:
    """It takes more memory for each vector. With a third of it the build takes several times as long."""
    fits, spills = forecast_build(1_000_000, 384, 2 * GIB), forecast_build(1_000_000, 384, GIB // 2)

    assert fits.graph.links > forecast_build(100_000, 384, GIB).graph.links
    assert fits.memory_bytes > 1.1 * 10 * forecast_build(100_000, 384, GIB).memory_bytes
    assert fits.memory_bytes < fits.granted_bytes < 2 * GIB
    assert (fits.spills, spills.spills) == (False, True)
    assert spills.granted_bytes == GIB // 2
    assert spills.seconds > 3 * fits.seconds


def test_a_measured_build_makes_the_forecast_that_of_the_server() -> None:
    """Twice as slow there, twice the forecast; more vectors take more than their share."""
    usual = forecast_build(100_000, 384, GIB)
    slow = MeasuredBuild(100_000, 2 * usual.seconds)

    assert forecast_build(100_000, 384, GIB, slow).seconds == pytest.approx(2 * usual.seconds)
    assert forecast_build(1_000_000, 384, 4 * GIB, slow).seconds > 20 * usual.seconds


def test_nothing_to_build_costs_nothing() -> None:
    """An empty table is no division by zero."""
    forecast = forecast_build(0, 384, GIB)

    assert (forecast.memory_bytes, forecast.seconds, forecast.spills) == (0, 0, False)


def building(share: float, spilled: bool = False) -> BuildSample:
    return BuildSample(BuildPhase.BUILDING, int(share * 10_000), 10_000, 0, spilled)


def test_the_time_left_at_half_is_right_for_a_build_that_slows_down_as_builds_do() -> None:
    """Within a few percent, from the first samples on."""
    meter, total, vectors = BuildMeter(100_000, 100 << 20, 128 << 20), 100.0, 100_000
    for share in (0.0, 0.1, 0.3, 0.5):
        seconds = total * build_effort(share * vectors) / build_effort(vectors)
        progress = meter.progress(building(share), seconds)

    assert progress.percent == pytest.approx(50)
    assert progress.vectors_done == 50_000
    assert progress.memory_bytes == pytest.approx(50 << 20)
    assert progress.seconds_left is not None
    assert progress.seconds_left == pytest.approx(total - seconds, rel=0.03)
    assert "50,000/100,000 vectors (50.0%)" in progress.line()


def test_after_a_spill_the_time_left_follows_the_speed_since() -> None:
    """A tenth of the former one."""
    meter = BuildMeter(100_000, 100 << 20, 50 << 20)
    for share, seconds in ((0.0, 0.0), (0.5, 10.0)):
        meter.progress(building(share), seconds)
    meter.progress(building(0.5, spilled=True), 10.0)

    progress = meter.progress(building(0.6, spilled=True), 30.0)

    assert progress.seconds_left == pytest.approx(80)
    assert progress.spilled
    assert progress.memory_bytes == 50 << 20


def test_before_and_after_the_building_nothing_is_promised() -> None:
    """It waits for other transactions first, and adds what was written meanwhile at the end."""
    meter = BuildMeter(1000, 1 << 20, 1 << 20)

    waiting = meter.progress(BuildSample(BuildPhase.WAITING, 0, 0, 0), 1.0)
    meter.progress(building(0.0), 2.0)
    validating = meter.progress(BuildSample(BuildPhase.VALIDATING, 5, 10_000, 0), 5.0)

    assert (waiting.percent, waiting.seconds_left) == (0, None)
    assert (validating.percent, validating.seconds_left) == (100, None)
    assert math.isclose(meter.done(6.0, spilled=False).percent, 100)
