"""Turns a sentence-transformers model into one that OpenVINO runs, and holds the outcome against the original."""

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...domain.spaces import EmbeddingSpace, Vectors
from ...errors import ConversionFailed
from ..model_files import ModelFolder
from ..torch_embedder import load_sentence_transformer, sentence_vectors
from .compiled_model import CompiledModel
from .library import import_openvino
from .parity import MIN_COSINE, PARITY_TEXTS

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_VERSION = 1
"""Raised when a conversion comes out different, so that every model is converted again."""


def conversion_name(space: EmbeddingSpace) -> str:
    """A name made of the model's weights, what surrounds them, and the versions of this module and the library."""
    identity = (
        _VERSION,
        import_openvino().__version__,
        space.weights_digest,
        space.pooling,
        space.dimension,
        space.max_tokens,
    )
    return f"{space.slug}-{hashlib.sha256(repr(identity).encode()).hexdigest()[:16]}"


def convert(made: Path, folder: ModelFolder, space: EmbeddingSpace, compile_: Callable[[Path], CompiledModel]) -> None:
    """Write `model.xml` and `model.bin` (float32) into the folder `made`; `compile_` gives the model at a path.

    Raises:
        ConversionFailed: the model cannot be converted or its vectors come out different.
    """
    model = load_sentence_transformer(folder, space, "cpu")
    try:
        _write(made / "model.xml", model)
        cosine = _least_cosine(model, compile_(made / "model.xml"))
    except OSError:
        raise
    except Exception as error:
        reason = f"OpenVINO cannot run it ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        raise ConversionFailed(space.model, reason) from error
    if not cosine >= MIN_COSINE:  # also when it is not a number
        raise ConversionFailed(space.model, f"its vectors come out different (cosine {cosine:.4f})")


def _write(xml: Path, model: "SentenceTransformer") -> None:
    import torch

    openvino = import_openvino()
    example = {
        "input_ids": torch.tensor([[1, 2, 3, 4], [1, 2, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]),
    }
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of branches that a trace fixes; the comparison is what counts
        converted = openvino.convert_model(_embedding_module(model), example_input=example)
    openvino.save_model(converted, xml, compress_to_fp16=False)


def _embedding_module(model: "SentenceTransformer") -> "torch.nn.Module":
    """The model as one module over ids and mask, which is what OpenVINO converts."""
    import torch

    class EmbeddingModule(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stages = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return sentence_vectors(self.stages, input_ids, attention_mask)

    return EmbeddingModule().eval()


def _least_cosine(model: "SentenceTransformer", compiled: CompiledModel) -> float:
    reference: Vectors = model.encode(list(PARITY_TEXTS), show_progress_bar=False, normalize_embeddings=True)
    tokenizer = model.tokenizer
    encoded = tokenizer(list(PARITY_TEXTS), truncation=True, max_length=model.max_seq_length)["input_ids"]
    vectors = compiled.embed([np.asarray(ids, dtype=np.int64) for ids in encoded])
    return float((reference * vectors).sum(axis=1).min())
