"""Counts tokens with the model's own tokenizer, without loading the model."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ..domain import EmbeddingSpace, TokenizedText
from ..errors import InvalidModel
from .models import ModelFolder


class TokenCounter:
    """What the model will see of a text: its tokens, those beyond the limit, those outside the vocabulary."""

    def __init__(self, folder: ModelFolder, space: EmbeddingSpace) -> None:
        self.tokenizer = _load(folder)
        # Files may carry the truncation and padding of their last use, which would hide what is lost.
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self._space = space
        self._unknown_id = _unknown_id(folder, self.tokenizer)

    @property
    def room_for_text(self) -> int:
        """Tokens of a document's text that fit the model beside its special tokens and the prompt."""
        prompt = len(self.tokenizer.encode(self._space.document_prompt, add_special_tokens=False).ids)
        return self._space.max_tokens - self.tokenizer.num_special_tokens_to_add(is_pair=False) - prompt

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Count each text with the document prompt before it, in order."""
        prompted = [self._space.document_prompt + text for text in texts]
        return [
            self._counted(text, encoding.ids, whole)
            for text, whole, encoding in zip(texts, prompted, self.tokenizer.encode_batch(prompted), strict=True)
        ]

    def query_ids(self, text: str) -> NDArray[np.int32]:
        """What the model sees of a question, the query prompt before it."""
        whole = self._space.query_prompt + text
        return self._seen(self.tokenizer.encode(whole).ids, whole)

    def _counted(self, text: str, ids: list[int], whole: str) -> TokenizedText:
        seen = self._seen(ids, whole)
        unknown = 0 if self._unknown_id is None else int((seen == self._unknown_id).sum())
        return TokenizedText(text, len(ids), len(seen), unknown, seen)

    def _seen(self, ids: list[int], whole: str) -> NDArray[np.int32]:
        """The ids within the limit; a text that is cut keeps its closing special tokens, so it is encoded anew."""
        if len(ids) > self._space.max_tokens:
            ids = self._truncating.encode(whole).ids
        return np.asarray(ids, dtype=np.int32)

    @cached_property
    def _truncating(self) -> Tokenizer:
        tokenizer = Tokenizer.from_str(self.tokenizer.to_str())
        tokenizer.enable_truncation(self._space.max_tokens)
        return tokenizer


def _load(folder: ModelFolder) -> Tokenizer:
    file = next(iter(sorted(folder.path.rglob("tokenizer.json"))), None)
    try:
        if file is not None:
            return Tokenizer.from_file(str(file))
        from transformers import AutoTokenizer  # older models carry files that only transformers reads

        slow_or_fast = AutoTokenizer.from_pretrained(str(folder.path), local_files_only=True)
        tokenizer = getattr(slow_or_fast, "backend_tokenizer", None)
    except Exception as error:
        raise InvalidModel(folder.name, f"its tokenizer cannot be read ({error})") from error
    if not isinstance(tokenizer, Tokenizer):
        raise InvalidModel(folder.name, "it has no tokenizer.json and none can be made of its files")
    return tokenizer


def _unknown_id(folder: ModelFolder, tokenizer: Tokenizer) -> int | None:
    """The id that stands for all unknown tokens; None for vocabularies that can spell anything."""
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        path = Path(folder.path) / file
        token = json.loads(path.read_text("utf-8")).get("unk_token") if path.is_file() else None
        if token:
            return tokenizer.token_to_id(token["content"] if isinstance(token, dict) else token)
    return None
