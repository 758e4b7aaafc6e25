"""The graph that is built without torch computes what torch computes."""

from pathlib import Path

from vector_assets.embedding.openvino.bert_graph import write_bert
from vector_assets.embedding.openvino.compiled_model import CompiledModel

from ..embedders import torch_embedder
from ..tiny_models import WORDS


def test_its_vectors_are_those_of_torch(tiny_model: Path, tmp_path: Path) -> None:
    """Texts of every length up to the limit, padded beside one another."""
    reference = torch_embedder(str(tiny_model))
    texts = reference.tokenize([" ".join(WORDS[:count]) for count in range(len(WORDS))] + ["the board " * 100])
    write_bert(tiny_model, tmp_path / "model.xml")
    graph = CompiledModel(tmp_path / "model.xml", reference.space, lambda: reference.counter.pad_id, "f32", None)

    vectors = graph.embed([text.ids for text in texts])

    assert (vectors * reference.embed(texts)).sum(axis=1).min() > 0.999999
