"""The second stage of a search: a model that reads the question and a chunk together, and scores the pair."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidSetting, ModelError
from .model_files import find_model

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

RERANKER = "VECTOR_ASSETS_RERANKER"
_FIX = "Set it to the name or the folder of a cross-encoder of sentence-transformers, or unset it."


class CrossEncoderReranker:
    """The `Reranker` port, by sentence-transformers. The model is loaded with the first question.

    Args:
        name: a folder, or a name of the Hugging Face hub.
        models: the directory of unpacked models.
        device: as torch names it; `auto` for the fastest there is.
    """

    def __init__(self, name: str, models: Path, device: str) -> None:
        self._name = name
        self._models = models
        self._device = None if device == "auto" else device

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Score each text, in order; the greater, the better it answers.

        Raises:
            InvalidSetting: there is no such model, or it is no cross-encoder.
        """
        scores = self._model.predict([(question, text) for text in texts], show_progress_bar=False)
        return np.asarray(scores, dtype=np.float32)

    @cached_property
    def _model(self) -> "CrossEncoder":
        from sentence_transformers import CrossEncoder

        try:
            path = find_model(self._name, self._models).path
            model: CrossEncoder = CrossEncoder(str(path), device=self._device, local_files_only=True)
        except (ModelError, OSError, ValueError) as error:
            problem = f"{self._name!r} cannot be loaded ({' '.join(str(error).split())[:200]})"
            raise InvalidSetting(RERANKER, problem, _FIX) from error
        if model.num_labels != 1:
            raise InvalidSetting(RERANKER, f"{self._name!r} gives {model.num_labels} scores of a pair, not one", _FIX)
        return model
