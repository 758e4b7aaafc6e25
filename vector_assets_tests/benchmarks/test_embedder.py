"""The benchmark of the embedder: its variants compute the product's vectors, and its ratios are those of the turns."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.embedder import Turn, ratios, take_turns, texts_of_width
from benchmarks.embedder_variants import VARIANTS, Variant
from vector_assets.domain.chunks import TokenizedText
from vector_assets.embedding.openvino.bert_graph import BertGraph

from ..embedding.embedders import openvino_embedder
from ..embedding.tiny_models import WORDS

WIDTH = 16
OTHER_COMPUTATIONS = [
    variant
    for variant in VARIANTS
    if not variant.name.startswith("(") and (variant.graph is not BertGraph or variant.shape != "dynamic")
]


@pytest.mark.parametrize("variant", OTHER_COMPUTATIONS, ids=lambda variant: variant.name)
def test_a_variant_makes_the_vectors_of_the_product(variant: Variant, tiny_model: Path, converted_models: Path) -> None:
    """Other graphs and shapes, with padding in every text, in more calls than one."""
    embedder = openvino_embedder(str(tiny_model), converted_models, "f32")
    texts = texts_of_width(embedder.tokenize([" ".join(WORDS)]), WIDTH, 256)
    in_float32 = Variant(variant.name, {"INFERENCE_PRECISION_HINT": "f32"}, variant.graph, shape=variant.shape)

    vectors = in_float32.compile(tiny_model, WIDTH).embed([text.ids for text in texts])

    assert (vectors * embedder.embed(texts)).sum(axis=1).min() > 0.99999


def test_texts_of_a_width_are_padded_to_it():
    """The tokens of the texts go around until there are enough; special tokens stay at both ends."""
    text = TokenizedText("", 7, 7, 0, np.array([0, 5, 6, 7, 8, 9, 2], np.int32))

    made = texts_of_width([text], WIDTH, 40)

    assert {-(-len(item.ids) // 8) * 8 for item in made} == {WIDTH}
    assert len({len(item.ids) for item in made}) > 1
    assert all(item.ids[0] == 0 and item.ids[-1] == 2 and set(item.ids[1:-1]) <= {5, 6, 7, 8, 9} for item in made)


def test_each_works_once_a_round_and_the_order_changes():
    """Whatever grows or shrinks during a round meets all alike."""
    order: list[str] = []

    turns = take_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)

    assert order == ["a", "b", "b", "a", "a", "b"]
    assert {name: len(of_one) for name, of_one in turns.items()} == {"a": 3, "b": 3}


def test_a_ratio_above_1_is_faster():
    """The best turn of each, and the turns of each round."""
    product = [Turn(2.0, 4.0), Turn(4.0, 4.0), Turn(3.0, 4.0)]
    variant = [Turn(1.0, 8.0), Turn(2.0, 8.0), Turn(1.5, 8.0)]

    best, cpu, wall = ratios(product, variant)

    assert (best, cpu, wall) == ("2.000", "2.000 (2.000 to 2.000)", "0.500 (0.500 to 0.500)")
