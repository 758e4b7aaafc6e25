"""A converted model with 8-bit matrix products: weights rounded once, inputs in groups as they come.

CPUs with 8-bit dot products (VNNI) do them about twice as fast as bfloat16. It is kept only where the vectors stay
the same and it is faster; whatever else the model does stays as it was.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...domain.spaces import EmbeddingSpace
from ...errors import ConversionFailed
from ..devices import Precision
from ..token_counter import TokenCounter
from .compiled_model import CompiledModel
from .conversion import conversion_name
from .converted_models import KeptModel
from .library import import_openvino
from .parity import MIN_COSINE, PARITY_TEXTS
from .rounding import InputStatistics, Matrix, round_weights, smoothing

TokenIds = NDArray[np.integer[Any]]
Source = tuple[str, int]
"""A node's name and which of its outputs."""
Compile = Callable[[Path, Precision], CompiledModel]
"""Gives the model at a path, ready."""

_VERSION = 1
"""Raised when the outcome comes out different, so that every model is made again."""

# Inputs rounded together, with one scale: the more the faster, the fewer the nearer. The first that passes is kept.
_INPUT_GROUPS = (128, 64)

# Less would not be worth vectors that are a little further away.
_LEAST_GAIN = 1.05

# Real prose and tables in both languages; it is theirs that the rounding is fitted to.
_SAMPLES = Path(__file__).parents[2] / "samples"
_CALIBRATION_FILES = (
    _SAMPLES / "us/annual_report/XARB/2024-annual-report.txt",
    _SAMPLES / "cn/annual_report/999001/2024-annual-report.txt",
)
# Tokens of a text; lines taken as texts of a file, and paragraphs, every third. More of them changed nothing.
_MOST_CALIBRATION_TOKENS = 256
_LINES, _PARAGRAPH_LINES, _PARAGRAPH_STEP = 100, 8, 24


# Their second moments are taken together, for adding up large matrices takes longer than multiplying short ones.
_TEXTS_TOGETHER = 64

# Beside other work the ratio came out wrong in two turns (0.88 instead of 1.2), and not in six.
_TIMED_TEXTS, _TIMED_TURNS = 16, 6

# Bytes of second moments that are gathered in one pass over the calibration texts.
_PASS_BYTES = 1 << 30


def int8_name(space: EmbeddingSpace) -> str:
    """A name made of the conversion's, this module's version and the CPU, for on another it may not be worth it."""
    cpu = import_openvino().Core().get_property("CPU", "FULL_DEVICE_NAME")
    return f"{conversion_name(space)}-int8-{hashlib.sha256(repr((_VERSION, cpu)).encode()).hexdigest()[:8]}"


def make_int8(made: Path, exact: KeptModel, counter: TokenCounter, compile_: Compile) -> None:
    """Write `model.xml` and `model.bin` into the folder `made`.

    Raises:
        ConversionFailed: with 8 bits the vectors come out different, or no faster.
    """
    model = import_openvino().Core().read_model(exact.xml)
    calibration = [text.ids[:_MOST_CALIBRATION_TOKENS] for text in counter.tokenize(_calibration_texts())]
    try:
        _round_products(model, [ids for ids in calibration if len(ids)])
    except np.linalg.LinAlgError as error:
        raise ConversionFailed(exact.folder.name, f"its weights cannot be rounded ({error})") from error
    rounded = _write_nearest(made, model, exact, counter, compile_)
    gain = _gain(compile_(exact.xml, "auto"), rounded, calibration)
    if gain < _LEAST_GAIN:
        raise ConversionFailed(exact.folder.name, f"8 bits are {gain:.2f} times as fast")


def _calibration_texts() -> list[str]:
    texts = []
    for file in _CALIBRATION_FILES:
        lines = [line for line in file.read_text("utf-8").splitlines() if line.strip()]
        texts += lines[:_LINES]
        texts += ["\n".join(lines[at : at + _PARAGRAPH_LINES]) for at in range(0, len(lines), _PARAGRAPH_STEP)]
    return texts


def _write_nearest(made: Path, model: Any, exact: KeptModel, counter: TokenCounter, compile_: Compile) -> CompiledModel:
    """Write the model with the largest group of inputs that leaves its vectors the same.

    Raises:
        ConversionFailed: none does.
    """
    texts = [text.ids for text in counter.tokenize(PARITY_TEXTS)]
    expected = compile_(exact.xml, "f32").embed(texts)
    cosine = 0.0
    for group in _INPUT_GROUPS:
        model.set_rt_info(str(group), ["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"])
        import_openvino().save_model(model, made / "model.xml", compress_to_fp16=False)
        rounded = compile_(made / "model.xml", "auto")
        cosine = float((expected * rounded.embed(texts)).sum(axis=1).min())
        if cosine >= MIN_COSINE:
            return rounded
    raise ConversionFailed(exact.folder.name, f"with 8 bits its vectors come out different (cosine {cosine:.4f})")


def _gain(before: CompiledModel, after: CompiledModel, texts: Sequence[TokenIds]) -> float:
    """How many times as fast `after` embeds: the best of several turns each, for other programs may be at work too."""
    longest = sorted(texts, key=len)[-_TIMED_TEXTS:]
    seconds: dict[CompiledModel, list[float]] = {before: [], after: []}
    for _ in range(_TIMED_TURNS + 1):
        for model in (before, after):
            started = time.perf_counter()
            model.embed(longest)
            seconds[model].append(time.perf_counter() - started)
    return min(seconds[before][1:]) / min(seconds[after][1:])  # the first turn makes kernels


def _round_products(model: Any, calibration: Sequence[TokenIds]) -> None:
    """Round the weights of every matrix product of the model, which is changed in place."""
    original = model.clone()
    shared: dict[Source, list[Any]] = defaultdict(list)
    for node in model.get_ordered_ops():
        if _has_weights(node):
            shared[_source(node)].append(node)
    for sources in _passes(shared):
        statistics = _input_statistics(original, sources, calibration)
        for source in sources:
            _round_sharers(shared[source], statistics[source])


def _has_weights(node: Any) -> bool:
    """Whether it multiplies with a constant matrix (outputs, inputs)."""
    if node.get_type_name() != "MatMul" or not node.get_attributes()["transpose_b"]:
        return False
    weights = node.input_value(1).get_node()
    return weights.get_type_name() == "Constant" and len(weights.get_output_shape(0)) == 2


def _source(node: Any) -> Source:
    output = node.input_value(0)
    return output.get_node().get_friendly_name(), output.get_index()


def _weights(node: Any) -> Matrix:
    return np.asarray(node.input_value(1).get_node().data, dtype=np.float64)


def _passes(shared: dict[Source, list[Any]]) -> Iterator[list[Source]]:
    """The inputs, as many at a time as have their second moments in memory together."""
    together: list[Source] = []
    room = _PASS_BYTES
    for source, nodes in shared.items():
        needed = 8 * nodes[0].input_value(1).get_node().get_output_shape(0)[1] ** 2
        if together and needed > room:
            yield together
            together, room = [], _PASS_BYTES
        together.append(source)
        room -= needed
    if together:
        yield together


def _input_statistics(
    original: Any, sources: Sequence[Source], calibration: Sequence[TokenIds]
) -> dict[Source, InputStatistics]:
    """What the products are given when the original model sees the calibration texts one by one."""
    watched = original.clone()
    by_name = {node.get_friendly_name(): node for node in watched.get_ordered_ops()}
    first = len(watched.outputs)
    watched.add_outputs([by_name[name].output(index) for name, index in sources])
    compiled = import_openvino().Core().compile_model(watched, "CPU")
    request = compiled.create_infer_request()
    statistics: dict[Source, InputStatistics] = {}
    for start in range(0, len(calibration), _TEXTS_TOGETHER):
        seen: dict[Source, list[NDArray[np.float32]]] = {source: [] for source in sources}
        for ids in calibration[start : start + _TEXTS_TOGETHER]:
            row = np.asarray(ids, dtype=np.int64)[None]
            request.infer([row, np.ones_like(row)])
            for position, source in enumerate(sources, first):
                inputs = request.get_output_tensor(position).data
                seen[source].append(inputs.reshape(-1, inputs.shape[-1]).copy())
        for source, rows in seen.items():
            gathered = InputStatistics.of(np.concatenate(rows))
            statistics[source] = gathered if source not in statistics else statistics[source] + gathered
    return statistics


def _round_sharers(nodes: Sequence[Any], inputs: InputStatistics) -> None:
    """Round the weights of the products that share an input."""
    from openvino import opset13 as op

    divisors = np.ones_like(inputs.peaks)
    source = nodes[0].input_value(0)
    # What comes out of a layer norm is uneven; what comes out of attention or an activation is not, and the division
    # that evens it out would cost more than it gains.
    if source.get_node().get_type_name() == "Add":
        divisors = smoothing([_weights(node) for node in nodes], inputs)
        source = op.multiply(source, op.constant((1 / divisors).astype(np.float32))).output(0)
    moments = inputs.moments / np.outer(divisors, divisors)
    for node in nodes:
        rounded = round_weights(_weights(node) * divisors, moments)
        weights = op.multiply(op.convert(op.constant(rounded.steps), "f32"), op.constant(rounded.scales))
        node.input(0).replace_source_output(source)
        node.input(1).replace_source_output(weights.output(0))
