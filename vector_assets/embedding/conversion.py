"""Turns a sentence-transformers model into one that OpenVINO runs, once, and keeps it on disk.

A conversion is a folder: `model.xml`, `model.bin` and `conversion.json`, which holds the sha256 of both, or, where the
model cannot be converted, only the reason in `conversion.json`, so that it is not tried again.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..domain import EmbeddingSpace, Vectors
from ..errors import ConversionFailed
from .compiled import CompiledModel
from .models import ModelFolder
from .quiet import import_openvino
from .sentence_transformer import load_sentence_transformer, sentence_vectors

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

_VERSION = 1
"""Raised when a conversion comes out different, so that every model is converted again."""

# Vectors nearer than this to the reference's are the same for any search; bfloat16 comes to 0.9999 and better.
LEAST_COSINE = 0.999

# Short, long and longer than any limit, in both languages, with figures and with signs that no vocabulary holds.
PARITY_TEXTS = (
    "a",
    "Net sales rose 4 % to $82,959 million, driven by services.",
    "董事会审议通过了2024年年度报告。",
    "Cash flow \u2014 operating activities: (1,234) \u2611 \U0001f4c8",
    "The company repurchased shares under its program. " * 12,
    "报告期内，公司实现营业收入人民币一百二十亿元，同比增长百分之八。" * 12,
    "Risk factors may affect our business, financial condition and results of operations. " * 1200,
)


@dataclass(frozen=True)
class Conversion:
    """A converted model on disk."""

    folder: Path

    @property
    def xml(self) -> Path:
        """The graph; the weights lie beside it."""
        return self.folder / "model.xml"


def conversion_folder(cache: Path, space: EmbeddingSpace) -> Path:
    """Where a model's conversion lies: its weights, what surrounds them, and both versions are in the name."""
    identity = (
        _VERSION,
        import_openvino().__version__,
        space.weights_digest,
        space.pooling,
        space.dimension,
        space.max_tokens,
    )
    return cache / f"{space.slug}-{hashlib.sha256(repr(identity).encode()).hexdigest()[:16]}"


def find_conversion(cache: Path, space: EmbeddingSpace) -> Conversion | None:
    """The conversion if it is there and whole; a broken one is removed.

    Raises:
        ConversionFailed: this model is known not to convert.
    """
    folder = conversion_folder(cache, space)
    try:
        known = json.loads((folder / "conversion.json").read_text("utf-8"))
        if "refused" in known:
            raise ConversionFailed(space.model, known["refused"])
        if known == _digests(folder):
            return Conversion(folder)
    except FileNotFoundError:
        if not folder.exists():
            return None
    except (OSError, ValueError) as error:
        logger.warning("the converted model in %s cannot be read (%s)", folder, error)
    logger.warning("the converted model in %s is broken; it is made anew", folder)
    shutil.rmtree(folder, ignore_errors=True)
    return None


def convert(
    cache: Path, folder: ModelFolder, space: EmbeddingSpace, compile_: Callable[[Path], CompiledModel]
) -> Conversion:
    """Convert a model (seconds), hold it against the original, and keep it. Several processes may do so at once.

    `compile_` gives the model at a path whose vectors are compared.

    Raises:
        ConversionFailed: it cannot be converted, differs from the original, or cannot be kept.
    """
    target = conversion_folder(cache, space)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _refuse_without_room(cache, folder, space)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".converting-") as work:
            made = Path(work) / "made"
            made.mkdir()
            try:
                _make(made, folder, space, compile_)
                known = _digests(made)
            except ConversionFailed as error:
                shutil.rmtree(made)
                made.mkdir()
                known = {"refused": error.reason}
            (made / "conversion.json").write_text(json.dumps(known), "utf-8")
            _put(made, target)
    except OSError as error:
        raise ConversionFailed(space.model, f"{cache} cannot be written ({error.strerror})") from error
    if "refused" in known:
        raise ConversionFailed(space.model, known["refused"])
    return Conversion(target)


def _refuse_without_room(cache: Path, folder: ModelFolder, space: EmbeddingSpace) -> None:
    """OpenVINO reports a full disk as any other failure, which would then be remembered as the model's fault."""
    # The converted weights, and what is compiled of them.
    needed = 3 * sum(file.stat().st_size for file in folder.path.rglob("*.safetensors"))
    free = shutil.disk_usage(cache).free
    if free < needed:
        raise ConversionFailed(space.model, f"{cache} has {free >> 20} MiB free, {needed >> 20} are needed")


def _put(made: Path, target: Path) -> None:
    """Rename into place; whoever was faster has put the same thing there."""
    try:
        os.rename(made, target)
    except OSError:
        if not (target / "conversion.json").exists():
            raise


def _make(made: Path, folder: ModelFolder, space: EmbeddingSpace, compile_: Callable[[Path], CompiledModel]) -> None:
    import torch

    openvino = import_openvino()
    model = load_sentence_transformer(folder, space, "cpu")
    example = torch.tensor([[1, 2, 3, 4], [1, 2, 0, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of branches that a trace fixes; the comparison below is what counts
            names = ("input_ids", "attention_mask")
            converted = openvino.convert_model(
                _embedding_module(model), example_input=dict(zip(names, example, strict=True))
            )
        openvino.save_model(converted, made / "model.xml", compress_to_fp16=False)
        del converted
        cosine = _least_cosine(model, compile_(made / "model.xml"))
    except OSError:
        raise
    except Exception as error:
        reason = f"OpenVINO cannot run it ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        raise ConversionFailed(space.model, reason) from error
    if not cosine >= LEAST_COSINE:  # also when it is not a number
        raise ConversionFailed(space.model, f"its vectors come out different (cosine {cosine:.4f})")


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


def _digests(folder: Path) -> dict[str, str]:
    files = {}
    for name in ("model.xml", "model.bin"):
        with (folder / name).open("rb") as file:
            files[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return files
