"""Embeds with sentence-transformers on torch: the path for GPUs, and the reference for every other."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..domain import EmbeddingSpace, TokenizedText, Vectors
from ..errors import InvalidModel, InvalidSetting
from .models import ModelFolder
from .tokens import TokenCounter

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SentenceTransformerEmbedder:
    """The `Embedder` port. The model is loaded (seconds) when the first text is embedded, not before.

    Args:
        folder: the model.
        space: what its files say of it; checked against the loaded model.
        counter: its tokenizer.
        device: `auto` (a GPU where there is one), `cpu`, `cuda` or `mps`.
    """

    def __init__(self, folder: ModelFolder, space: EmbeddingSpace, counter: TokenCounter, device: str) -> None:
        self._folder = folder
        self._space = space
        self.counter = counter
        self._device = device

    @property
    def space(self) -> EmbeddingSpace:
        """The space its vectors live in."""
        return self._space

    @property
    def concurrency(self) -> int:
        """One: torch uses all cores for one call."""
        return 1

    def load(self) -> None:
        """Load the model now rather than with the first text (seconds, most of them imports).

        Raises:
            InvalidModel: it does not load, or is not what its files say.
            InvalidSetting: the device is not there.
        """
        _ = self.model

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Count what the model will see of each text."""
        return self.counter.tokenize(texts)

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        """Embed document texts in one call of the model: float32 (n, dimension), rows of length 1.

        Raises:
            InvalidModel: the model does not load, or is not what its files say.
            InvalidSetting: the device is not there.
        """
        vectors: Vectors = self.model.encode_document(
            [item.text for item in texts],
            prompt=self._space.document_prompt,
            batch_size=max(len(texts), 1),
            show_progress_bar=False,
            normalize_embeddings=True,
        )
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question: float32 (dimension,), of length 1."""
        vector: NDArray[np.float32] = self.model.encode_query(
            text, prompt=self._space.query_prompt, show_progress_bar=False, normalize_embeddings=True
        )
        return vector

    @property
    def device(self) -> str:
        """Where the model runs; loads it."""
        return str(self.model.device)

    @cached_property
    def model(self) -> "SentenceTransformer":
        """The loaded model."""
        return load_sentence_transformer(self._folder, self._space, _torch_device(self._device))


def load_sentence_transformer(folder: ModelFolder, space: EmbeddingSpace, device: str) -> "SentenceTransformer":
    """Load a model, without a network and without running code of its folder.

    Raises:
        InvalidModel: it does not load, or is not what its files say.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        model = SentenceTransformer(
            str(folder.path),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:
        raise InvalidModel(folder.name, f"it does not load ({' '.join(str(error).split())})") from error
    model.max_seq_length = space.max_tokens
    if model.get_embedding_dimension() != space.dimension:
        found = f"it makes {model.get_embedding_dimension()} dimensions, its files say {space.dimension}"
        raise InvalidModel(folder.name, found)
    return model


def _torch_device(device: str) -> str:
    import torch

    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(name for name, available in there.items() if available)
    if not there.get(device, False):
        raise InvalidSetting("EMBEDDING_DEVICE", f"{device!r} is not there", "Use auto or cpu.")
    return device
