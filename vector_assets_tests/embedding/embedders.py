"""Real embedders as the services make them, for the tests of any package."""

from pathlib import Path

from vector_assets.embedding.devices import Precision
from vector_assets.embedding.model_description import describe_space
from vector_assets.embedding.model_files import find_model
from vector_assets.embedding.openvino.embedder import OpenVINOEmbedder
from vector_assets.embedding.token_counter import TokenCounter
from vector_assets.embedding.torch_embedder import SentenceTransformerEmbedder

ENGLISH = "all-MiniLM-L6-v2"
NOWHERE = Path("/nowhere")
"""The folder of unpacked models, for a model that needs no unpacking."""


def openvino_embedder(model: str, models: Path, precision: Precision = "auto", **prompts: str) -> OpenVINOEmbedder:
    """An embedder that keeps its converted model in the folder `models`."""
    folder = find_model(model, models)
    space = describe_space(folder, **prompts)
    counter = TokenCounter(folder, space)
    by_torch = SentenceTransformerEmbedder(folder, space, counter, "cpu")
    return OpenVINOEmbedder(folder, space, counter, models, precision, by_torch)


def torch_embedder(model: str = ENGLISH, device: str = "cpu", **prompts: str) -> SentenceTransformerEmbedder:
    """The reference: float32 on the CPU unless another device is given."""
    folder = find_model(model, NOWHERE)
    space = describe_space(folder, **prompts)
    return SentenceTransformerEmbedder(folder, space, TokenCounter(folder, space), device)
