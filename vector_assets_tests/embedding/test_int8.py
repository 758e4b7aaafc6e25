"""8-bit products: the rounding itself, and that they serve only where the vectors stay the same and it is faster."""

import json
from pathlib import Path

import numpy as np
import pytest

from vector_assets.embedding.openvino import int8
from vector_assets.embedding.openvino.int8 import int8_name
from vector_assets.embedding.openvino.rounding import InputStatistics, round_weights, smoothing

from .test_openvino import make_embedder
from .tiny_models import make_tiny_model

# None of them is fitted to: the calibration texts are others.
TEXTS = [
    "Operating income fell 12% to $1.4 billion, while capital expenditure was $310 million.",
    "公司第五届董事会第十二次会议于2025年3月27日以现场结合通讯方式召开。",
    "Item 1A. Risk Factors",
    "$",
    "",
    "The notes mature in 2031 and bear interest at 4.25% per annum, payable semi-annually. " * 6,
]


def make_inputs(channels: int) -> np.ndarray:
    """Rows whose channels go together and differ much in size, as those of a transformer do."""
    random = np.random.default_rng(5)
    mixed = random.normal(size=(4096, channels)) @ random.normal(size=(channels, channels))
    return (mixed * np.exp(random.normal(size=channels))).astype(np.float32)


def output_error(weights: np.ndarray, rounded: np.ndarray, inputs: np.ndarray) -> float:
    """Of what the weights make of the inputs, relative."""
    return float(np.linalg.norm(inputs @ (rounded - weights).T) / np.linalg.norm(inputs @ weights.T))


def test_errors_are_passed_on() -> None:
    """The outputs are nearer than those of weights that were each rounded to the nearest step."""
    inputs = make_inputs(192)
    weights = np.random.default_rng(6).normal(size=(64, 192))
    scales = np.abs(weights).max(axis=1, keepdims=True) / 127

    rounded = round_weights(weights, InputStatistics.of(inputs).moments)

    assert rounded.steps.dtype == np.int8
    assert np.abs(rounded.steps).max() <= 127
    nearest = np.rint(weights / scales) * scales
    assert output_error(weights, rounded.steps * rounded.scales, inputs) < 0.7 * output_error(weights, nearest, inputs)


def test_statistics_of_parts_add_up() -> None:
    """To those of the whole."""
    inputs = make_inputs(16)

    added = InputStatistics.of(inputs[:1000]) + InputStatistics.of(inputs[1000:])

    whole = InputStatistics.of(inputs)
    assert np.allclose(added.moments, whole.moments, rtol=1e-3)
    assert (added.peaks == whole.peaks).all()


def test_inputs_that_are_never_used_do_not_stop_the_rounding() -> None:
    """Nor do weights that are all zero."""
    inputs = make_inputs(32)
    inputs[:, 3] = 0
    weights = np.random.default_rng(7).normal(size=(8, 32))
    weights[2] = 0
    statistics = InputStatistics.of(inputs)

    divisors = smoothing([weights], statistics)
    rounded = round_weights(weights, statistics.moments)

    assert np.isfinite(divisors).all()
    assert (rounded.steps[2] == 0).all()
    assert np.isfinite(rounded.scales).all()
    assert not round_weights(np.zeros((4, 4)), np.zeros((4, 4))).steps.any()


def test_the_bundled_model_with_8_bits_is_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On texts that it was not fitted to, alone and together. Speed is set aside: it is the machine's."""
    monkeypatch.setattr(int8, "_LEAST_GAIN", 0.0)
    embedder = make_embedder("all-MiniLM-L6-v2", tmp_path)
    exact = make_embedder("all-MiniLM-L6-v2", tmp_path, "f32")

    vectors = embedder.embed(embedder.tokenize(TEXTS))
    alone = np.concatenate([embedder.embed(embedder.tokenize([text])) for text in TEXTS])

    assert "int8" in embedder.device
    expected = exact.embed(exact.tokenize(TEXTS))
    assert (vectors * expected).sum(axis=1).min() > 0.999
    assert (alone * expected).sum(axis=1).min() > 0.999
    few, many = embedder.tokenize(["$"])[0], embedder.tokenize(TEXTS[:1])[0]
    assert len(few.ids) < 16 <= len(many.ids)
    rounded = embedder._compiled
    assert rounded is not None
    assert np.dot(rounded.embed([few.ids])[0], expected[3]) < np.dot(vectors[3], expected[3]), "8 bits for few tokens"
    assert np.array_equal(rounded.embed([many.ids])[0], alone[0]), "no 8 bits for many"


@pytest.mark.parametrize(
    ("least_cosine", "least_gain", "reason"),
    # How near 8 bits come and how fast they are is the CPU's: each bound alone decides, the other lets anything pass.
    [(1.1, 0.0, "come out different"), (-1.1, 1e6, "times as fast")],
)
def test_what_differs_or_gains_nothing_is_refused_once(
    least_cosine: float, least_gain: float, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model as it was converted serves; the reason is kept, and nothing is tried again."""
    model = make_tiny_model(tmp_path, "bert", "mean")
    monkeypatch.setattr(int8, "MIN_COSINE", least_cosine)
    monkeypatch.setattr(int8, "_LEAST_GAIN", least_gain)
    embedder = make_embedder(str(model), tmp_path / "cache")

    embedder.load()

    assert embedder.device.startswith("OpenVINO on cpu")
    assert "int8" not in embedder.device
    kept = json.loads((tmp_path / "cache" / int8_name(embedder.space) / "conversion.json").read_text())
    assert reason in kept["refused"]
    monkeypatch.setattr(int8, "_round_products", None)
    again = make_embedder(str(model), tmp_path / "cache")
    again.load()
    assert again.device == embedder.device


@pytest.mark.parametrize("precision", ["bf16", "f32"])
def test_other_precisions_on_request_leave_8_bits_out(precision: str, tmp_path: Path) -> None:
    """Nothing is rounded for them."""
    embedder = make_embedder(str(make_tiny_model(tmp_path, "bert", "mean")), tmp_path / "cache", precision)

    embedder.load()

    assert not (tmp_path / "cache" / int8_name(embedder.space)).exists()


def test_inputs_are_gathered_in_passes_that_fit_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One input a pass comes to the same weights as all at once."""
    monkeypatch.setattr(int8, "_LEAST_GAIN", 0.0)
    monkeypatch.setattr(int8, "MIN_COSINE", -1.0)
    model = str(make_tiny_model(tmp_path, "bert", "mean"))
    at_once = make_embedder(model, tmp_path / "one")
    at_once.load()
    monkeypatch.setattr(int8, "_PASS_BYTES", 1)

    one_by_one = make_embedder(model, tmp_path / "two")
    one_by_one.load()

    name = int8_name(at_once.space)
    weights = [(tmp_path / cache / name / "model.bin").read_bytes() for cache in ("one", "two")]
    assert weights[0] == weights[1]
