"""Counts tokens with the model's own tokenizer, without loading the model."""

import json
from collections.abc import Sequence
from pathlib import Path

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
            self._counted(text, encoding.ids)
            for text, encoding in zip(texts, self.tokenizer.encode_batch(prompted), strict=True)
        ]

    def _counted(self, text: str, ids: list[int]) -> TokenizedText:
        seen = ids[: self._space.max_tokens]
        unknown = 0 if self._unknown_id is None else seen.count(self._unknown_id)
        return TokenizedText(text, len(ids), len(seen), unknown)


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
