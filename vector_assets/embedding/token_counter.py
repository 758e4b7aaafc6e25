"""Counts tokens with the model's own tokenizer, without loading the model."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer, normalizers
from tokenizers.models import WordLevel

from ..domain.chunks import TokenizedText
from ..domain.spaces import EmbeddingSpace
from ..errors import InvalidModel
from .model_files import ModelFolder, read_json_object
from .model_options import text_options


class TokenCounter:
    """Counts what the model will see of a text: its tokens, those beyond the limit, those outside the vocabulary.

    The tokenizer is loaded when it is first needed: a large one takes most of a second.
    """

    def __init__(self, folder: ModelFolder, space: EmbeddingSpace) -> None:
        self._folder = folder
        self._space = space
        self._unknown = _special_token(folder, "unk_token")
        self._padding = _special_token(folder, "pad_token")
        self._options = text_options(folder)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer.

        Raises:
            InvalidModel: its file is broken, or there is none.
        """
        tokenizer = _load(self._folder)
        if self._options.lower_case:
            _lower_case_first(tokenizer)
        # Files may carry the truncation and padding of their last use, which would hide what is lost.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def pad_id(self) -> int:
        """The token with which short texts are padded. Where the model has none, any will do, for it is masked."""
        return (self.tokenizer.token_to_id(self._padding) if self._padding else None) or 0

    @cached_property
    def _unknown_id(self) -> int | None:
        """The token for what is not in the vocabulary; None: the vocabulary can spell anything."""
        return self.tokenizer.token_to_id(self._unknown) if self._unknown else None

    @property
    def room_for_text(self) -> int:
        """Tokens of a document's text that fit the model beside its special tokens and the prompt."""
        prompt = len(self.tokenizer.encode(self._space.document_prompt, add_special_tokens=False).ids)
        return self._space.max_tokens - self._special_tokens - prompt

    @cached_property
    def document_prompt_tokens(self) -> int:
        """Tokens before a document's text: the special ones at the start, and the prompt's."""
        return self._tokens_before_text(self._space.document_prompt)

    @cached_property
    def query_prompt_tokens(self) -> int:
        """Tokens before a question: the special ones at the start, and the prompt's."""
        return self._tokens_before_text(self._space.query_prompt)

    def _tokens_before_text(self, prompt: str) -> int:
        """Count as sentence-transformers does: without the one special token that ends a text; 0 without a prompt."""
        if not prompt:
            return 0
        ids = self._seen(self._whole([prompt])[0])
        added = self.tokenizer.get_added_tokens_decoder()
        ends_special = len(ids) > 0 and int(ids[-1]) in added and added[int(ids[-1])].special
        return len(ids) - ends_special

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Count each text with the document prompt before it, in order."""
        whole = self._whole([self._space.document_prompt + text for text in texts])
        return [self._counted(text, encoding) for text, encoding in zip(texts, whole, strict=True)]

    def query_ids(self, text: str) -> NDArray[np.int32]:
        """Return the ids that the model sees of a question, the query prompt before it."""
        (whole,) = self._whole([self._space.query_prompt + text])
        return self._seen(whole)

    def _whole(self, texts: Sequence[str]) -> list[Encoding]:
        """Encode without special tokens and without the positions in the text, which take time."""
        return self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)

    def _counted(self, text: str, whole: Encoding) -> TokenizedText:
        seen = self._seen(whole)
        unknown = 0 if self._unknown_id is None else int((seen == self._unknown_id).sum())
        return TokenizedText(text, len(whole) + self._special_tokens, len(seen), unknown, seen)

    def _seen(self, whole: Encoding) -> NDArray[np.int32]:
        """Return the ids within the limit, special tokens included: a truncated text keeps its closing ones."""
        return np.asarray(self._finishing.post_process(whole).ids, dtype=np.int32)

    @cached_property
    def _special_tokens(self) -> int:
        return self.tokenizer.num_special_tokens_to_add(is_pair=False)

    @cached_property
    def _finishing(self) -> Tokenizer:
        """Truncates and adds the special tokens. It needs no vocabulary; copying a large one would take a second."""
        finishing = Tokenizer(WordLevel({}, unk_token=""))
        if self.tokenizer.post_processor is not None:
            finishing.post_processor = self.tokenizer.post_processor
        finishing.enable_truncation(self._space.max_tokens, direction=self._options.truncation_side)
        return finishing


def _load(folder: ModelFolder) -> Tokenizer:
    file = next(iter(sorted(folder.path.rglob("tokenizer.json"))), None)
    try:
        return _made_by_transformers(folder) if file is None else Tokenizer.from_file(str(file))
    except InvalidModel:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InvalidModel(folder.name, f"{file or 'its tokenizer'} cannot be read ({reason})") from error


def _lower_case_first(tokenizer: Tokenizer) -> None:
    """Let the tokenizer see every text in lower case, as sentence-transformers does for `do_lower_case`."""
    own = tokenizer.normalizer
    tokenizer.normalizer = (
        normalizers.Lowercase() if own is None else normalizers.Sequence([normalizers.Lowercase(), own])
    )


def _made_by_transformers(folder: ModelFolder) -> Tokenizer:
    """Make a tokenizer from the files of older models, which only transformers reads."""
    from transformers import AutoTokenizer

    slow_or_fast = AutoTokenizer.from_pretrained(str(folder.path), local_files_only=True)
    tokenizer = getattr(slow_or_fast, "backend_tokenizer", None)
    if not isinstance(tokenizer, Tokenizer):
        raise InvalidModel(folder.name, "it has no tokenizer.json and none can be made of its files")
    # Without a vocabulary transformers makes a tokenizer that knows no word: its own marks, and the blank of T5.
    if tokenizer.get_vocab().keys() <= {*slow_or_fast.all_special_tokens, "▁"}:
        raise InvalidModel(folder.name, f"{folder.path} has no tokenizer.json and no other file with a vocabulary")
    return tokenizer


def _special_token(folder: ModelFolder, role: str) -> str | None:
    """Return the token with a role such as `unk_token`; None where the model has none."""
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        token = read_json_object(folder, file).get(role)
        if isinstance(token, dict):
            token = token.get("content")
        if not isinstance(token, str | None):
            raise InvalidModel(folder.name, f"{folder.path / file} has a {role} that is not a text")
        if token:
            return token
    return None
