"""Converts a sentence-transformers model for OpenVINO and compares the vectors of both."""

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
from .bert_graph import write_bert
from .compiled_model import CompiledModel
from .library import import_openvino

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_VERSION = 1
"""Raised when a conversion gives other vectors than before, so that every model is converted again."""

MIN_COSINE = 0.999
"""The least cosine between a vector of the converted model and the original's in float32; bfloat16 reaches 0.9999."""

PARITY_TEXTS = (
    "a",
    "Net sales rose 4 % to $82,959 million, driven by services.",
    "董事会审议通过了2024年年度报告。",
    "Cash flow \u2014 operating activities: (1,234) \u2611 \U0001f4c8",
    "The company repurchased shares under its program. " * 12,
    "报告期内，公司实现营业收入人民币一百二十亿元，同比增长百分之八。" * 12,
    "Risk factors may affect our business, financial condition and results of operations. " * 1200,
)
"""Short, long and longer than any limit, in both languages, with figures and with signs that no vocabulary holds."""


def conversion_name(space: EmbeddingSpace) -> str:
    """Name a converted model after all that decides what it computes, the prompts left out: they are only text."""
    identity = (
        _VERSION,
        import_openvino().__version__,
        space.model,
        space.revision,
        space.weights_digest,
        space.pooling,
        space.dimension,
        space.max_tokens,
    )
    readable, _, _ = space.slug.rpartition("_")
    return f"{readable}-{hashlib.sha256(repr(identity).encode()).hexdigest()[:16]}"


def convert(
    target: Path, folder: ModelFolder, space: EmbeddingSpace, compile_model: Callable[[Path], CompiledModel]
) -> None:
    """Write `model.xml` and `model.bin` into the folder `target`; `compile_model` loads such a file.

    A model whose files are known byte for byte is converted without torch: a test has compared its vectors.

    Raises:
        ConversionFailed: the model cannot be converted, or the converted model gives other vectors.
    """
    if folder.verified_digest is not None:
        write_bert(folder.path, target / "model.xml")
        return
    model = load_sentence_transformer(folder, space, "cpu")
    try:
        _write(target / "model.xml", model)
        cosine = _least_cosine(model, compile_model(target / "model.xml"))
    except OSError:
        raise
    except Exception as error:
        reason = f"OpenVINO cannot run it ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        raise ConversionFailed(space.model, reason) from error
    if not cosine >= MIN_COSINE:  # also when it is not a number
        raise ConversionFailed(space.model, f"the converted model gives other vectors (cosine {cosine:.4f})")


def _write(xml: Path, model: "SentenceTransformer") -> None:
    import torch

    openvino = import_openvino()
    example = {
        "input_ids": torch.tensor([[1, 2, 3, 4], [1, 2, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]),
    }
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about branches that a trace fixes; the comparison of vectors is what counts
        converted = openvino.convert_model(_embedding_module(model), example_input=example)
    openvino.save_model(converted, xml, compress_to_fp16=False)


def _embedding_module(model: "SentenceTransformer") -> "torch.nn.Module":
    """Wrap the model as one module over ids and mask, which is what OpenVINO converts."""
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
