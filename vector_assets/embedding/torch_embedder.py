"""Embeds with sentence-transformers on torch: the path for GPUs, and the reference for every other."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..domain.chunks import TokenizedText
from ..domain.spaces import EmbeddingSpace, Vectors
from ..errors import InvalidModel, InvalidSetting
from .devices import Precision
from .model_files import ModelFolder
from .token_budget import TokenBudget
from .token_counter import TokenCounter

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

# Tokens in one call, padding included, to begin with: enough to fill a large GPU, and about 2 GB of activations with a
# model 1,024 wide. Where it does not fit, the budget shrinks.
_MOST_TOKENS = 131_072


class SentenceTransformerEmbedder:
    """The `Embedder` port. The model is loaded (seconds) when the first text is embedded, not before.

    Args:
        folder: the model.
        space: what its files say of it; checked against the loaded model.
        counter: its tokenizer.
        device: `auto` (a GPU where there is one), `cpu`, `cuda` or `mps`.
        precision: `auto` is half precision on CUDA and float32 elsewhere.
    """

    def __init__(
        self,
        folder: ModelFolder,
        space: EmbeddingSpace,
        counter: TokenCounter,
        device: str,
        precision: Precision = "auto",
    ) -> None:
        self._folder = folder
        self._space = space
        self.counter = counter
        self._device = device
        self._precision = precision
        self._budget = TokenBudget(_MOST_TOKENS)

    @property
    def space(self) -> EmbeddingSpace:
        """The space its vectors live in."""
        return self._space

    @property
    def concurrency(self) -> int:
        """One on CPUs, where torch uses all cores for one call; two on GPUs: one prepares while the other computes."""
        return 1 if self.model.device.type == "cpu" else 2

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
        """Embed document texts: float32 (n, dimension), rows of length 1, in the order given.

        Calls of the model hold texts of like length within the token budget; out of memory halves the budget.
        """
        return self._embed_ids([text.ids for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question: float32 (dimension,), of length 1."""
        vector: NDArray[np.float32] = self._embed_ids([self.counter.query_ids(text)])[0]
        return vector

    @property
    def device(self) -> str:
        """What does the work, e.g. `torch on cuda:0, bfloat16`; loads the model."""
        return f"torch on {self.model.device}, {str(self.model.dtype).removeprefix('torch.')}"

    @cached_property
    def model(self) -> "SentenceTransformer":
        """The loaded model."""
        model = load_sentence_transformer(self._folder, self._space, _torch_device(self._device))
        return model.to(_dtype(model.device.type, self._precision))

    def _embed_ids(self, texts: Sequence[NDArray[np.int32]]) -> Vectors:
        import torch

        vectors = np.empty((len(texts), self._space.dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        while order:
            most = self._budget.tokens
            rows = order[: max(most // max(len(texts[order[0]]), 1), 1)]
            try:
                vectors[rows] = self._call([texts[row] for row in rows])
            except torch.OutOfMemoryError:
                if len(rows) == 1:
                    raise
                self._budget.halve(most)
                torch.cuda.empty_cache()
            else:
                order = order[len(rows) :]
                self._budget.succeed()
        return vectors

    def _call(self, texts: Sequence[NDArray[np.int32]]) -> Vectors:
        """One call of the model with texts padded to the first, the longest."""
        import torch

        width = len(texts[0])
        input_ids = torch.full((len(texts), width), self.counter.pad_id, dtype=torch.long)
        attention_mask = torch.zeros((len(texts), width), dtype=torch.long)
        for row, ids in enumerate(texts):
            input_ids[row, : len(ids)] = torch.from_numpy(ids)
            attention_mask[row, : len(ids)] = 1
        device = self.model.device
        if device.type == "cuda":  # pinned memory is copied while the GPU computes
            input_ids, attention_mask = input_ids.pin_memory(), attention_mask.pin_memory()
        with torch.inference_mode():
            on_device = (tensor.to(device, non_blocking=True) for tensor in (input_ids, attention_mask))
            vectors: Vectors = sentence_vectors(self.model, *on_device).float().cpu().numpy()
        return vectors


def sentence_vectors(
    model: "SentenceTransformer", input_ids: "torch.Tensor", attention_mask: "torch.Tensor"
) -> "torch.Tensor":
    """Transformer, pooling, whatever else the model has, and the norm: (n, dimension) from ids and mask (n, tokens)."""
    import torch

    features = {"input_ids": input_ids, "attention_mask": attention_mask}
    for stage in model:
        features = stage(features)
    return torch.nn.functional.normalize(features["sentence_embedding"], dim=-1)


def load_sentence_transformer(folder: ModelFolder, space: EmbeddingSpace, device: str) -> "SentenceTransformer":
    """Load a model in float32, without a network and without running code of its folder.

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
            model_kwargs={"use_safetensors": True, "dtype": "float32"},
        )
    except Exception as error:
        raise InvalidModel(folder.name, f"it does not load ({' '.join(str(error).split())})") from error
    model.max_seq_length = space.max_tokens
    if model.get_embedding_dimension() != space.dimension:
        found = f"it makes {model.get_embedding_dimension()} dimensions, its files say {space.dimension}"
        raise InvalidModel(folder.name, found)
    return model.eval()


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


def _dtype(device: str, precision: Precision) -> "torch.dtype":
    import torch

    if device != "cuda" or precision == "f32":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
