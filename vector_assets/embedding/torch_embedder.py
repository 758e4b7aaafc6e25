"""Embeds with sentence-transformers on torch: the way for GPUs, and the reference for every other embedder."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

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

# The first budget of tokens in one call, padding included: enough to fill a large GPU, and about 2 GB of activations
# with a model 1,024 wide. Where a call does not fit, the budget shrinks.
_MOST_TOKENS = 131_072


class SentenceTransformerEmbedder:
    """The `Embedder` port. The model is loaded (seconds) when the first text is embedded, not before.

    Args:
        folder: the model.
        space: what the model's files say about it; compared with the loaded model.
        counter: its tokenizer.
        device: `auto` (a GPU where there is one), `cpu`, `cuda` or `mps`.
        precision: `auto` is float16 on CUDA and float32 elsewhere.
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
        """The embedding space of its vectors."""
        return self._space

    @property
    def concurrency(self) -> int:
        """How many calls run at once: one on CPUs, where it uses all cores; two on GPUs, where one prepares input."""
        return 1 if self.model.device.type == "cpu" else 2

    @property
    def tokens_used(self) -> None:
        """No server is asked."""

    def load(self) -> None:
        """Load the model now rather than with the first text (seconds, most of them imports).

        Raises:
            InvalidModel: it does not load, or is not what its files say.
            InvalidSetting: this machine does not have the device.
        """
        _ = self.model

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Count what the model will see of each text."""
        return self.counter.tokenize(texts)

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        """Embed document texts: float32 (n, dimension), rows of length 1, in the order given.

        A call of the model holds texts of similar length within the token budget; out of memory halves the budget.
        """
        return self._embed_ids([text.ids for text in texts], self.counter.document_prompt_tokens)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question: float32 (dimension,), of length 1."""
        ids = self.counter.query_ids(text)
        vector: NDArray[np.float32] = self._embed_ids([ids], self.counter.query_prompt_tokens)[0]
        return vector

    @property
    def device(self) -> str:
        """What runs the model, and in which precision, e.g. `torch on cuda:0, float16`; loads the model."""
        return f"torch on {self.model.device}, {str(self.model.dtype).removeprefix('torch.')}"

    @cached_property
    def model(self) -> "SentenceTransformer":
        """The loaded model. On CUDA its transformer computes in float16 unless the precision is `f32`."""
        model = load_sentence_transformer(self._folder, self._space, _torch_device(self._device))
        if model.device.type == "cuda" and self._precision == "auto":
            # Not bfloat16, which is no faster: there a text's vectors from two batches had a cosine of 0.99989 only, in
            # float16 0.999999. Vectors of a model that exceeds float16's range are not finite, and never stored.
            model[0].half()
        return model

    def _embed_ids(self, texts: Sequence[NDArray[np.int32]], prompt_tokens: int) -> Vectors:
        import torch

        vectors = np.empty((len(texts), self._space.dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        while order:
            most = self._budget.tokens
            rows = order[: max(most // max(len(texts[order[0]]), 1), 1)]
            try:
                vectors[rows] = self._call([texts[row] for row in rows], prompt_tokens)
            except torch.OutOfMemoryError:
                if len(rows) == 1:
                    raise
                self._budget.halve(most)
                torch.cuda.empty_cache()
            else:
                order = order[len(rows) :]
                self._budget.succeed()
        return vectors

    def _call(self, texts: Sequence[NDArray[np.int32]], prompt_tokens: int) -> Vectors:
        """Run the model once, each text padded to the first, which is the longest."""
        import torch

        width = len(texts[0])
        input_ids = torch.full((len(texts), width), self.counter.pad_id, dtype=torch.long)
        attention_mask = torch.zeros((len(texts), width), dtype=torch.long)
        for row, ids in enumerate(texts):
            input_ids[row, : len(ids)] = torch.from_numpy(ids)
            attention_mask[row, : len(ids)] = 1
        device = self.model.device
        if device.type == "cuda":  # the GPU copies pinned memory while it computes
            input_ids, attention_mask = input_ids.pin_memory(), attention_mask.pin_memory()
        with torch.inference_mode():
            input_ids, attention_mask = (tensor.to(device, non_blocking=True) for tensor in (input_ids, attention_mask))
            found = sentence_vectors(self.model, input_ids, attention_mask, prompt_tokens)
            vectors: Vectors = found.float().cpu().numpy()
        return vectors


def sentence_vectors(
    model: "SentenceTransformer", input_ids: "torch.Tensor", attention_mask: "torch.Tensor", prompt_tokens: int = 0
) -> "torch.Tensor":
    """Run all stages of the model and normalize: (n, dimension) from ids and mask, both (n, tokens).

    A pooling that leaves the prompt out leaves out the first `prompt_tokens`.

    What follows a transformer in float16 is computed in float32: a sum over many tokens can exceed float16's range.
    """
    import torch

    features: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
    if prompt_tokens:
        features["prompt_length"] = prompt_tokens
    for stage in model:
        features = stage(features)
        if "token_embeddings" in features and features["token_embeddings"].dtype == torch.float16:
            features["token_embeddings"] = features["token_embeddings"].float()
    vectors: torch.Tensor = torch.nn.functional.normalize(features["sentence_embedding"], dim=-1)
    return vectors


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
    except MemoryError:
        raise
    except Exception as error:
        raise InvalidModel(folder.name, f"it does not load ({' '.join(str(error).split())})") from error
    model.max_seq_length = space.max_tokens
    if model.get_embedding_dimension() != space.dimension:
        found = f"it makes {model.get_embedding_dimension()} dimensions, its files say {space.dimension}"
        raise InvalidModel(folder.name, found)
    return model.eval()


def _torch_device(device: str) -> str:
    import torch

    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(name for name, present in available.items() if present)
    if not available.get(device, False):
        raise InvalidSetting("EMBEDDING_DEVICE", f"this machine has no {device!r} device", "Use auto or cpu.")
    return device
