"""Reads the answer of a server strictly: one vector for each text, in the order of the texts, or an error."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...domain.spaces import Vectors

_NUMBERS = np.dtype("<f4")


class MalformedAnswer(ValueError):
    """The answer is no answer of an embeddings server; no text is at fault."""


class BrokenOffAnswer(ValueError):
    """The answer ends in the middle, or is empty."""


class WrongVectors(ValueError):
    """The answer has not one vector for each text, all of one dimension."""


@dataclass(frozen=True)
class Answer:
    """Vectors in the order of the texts, the tokens that the server counted (None: it does not say), its model."""

    vectors: Vectors
    tokens: int | None
    model: str


def read_answer(body: bytes, texts: int) -> Answer:
    """Read an answer to a request with so many texts. Values are not looked at: they may be NaN.

    Raises:
        MalformedAnswer: it is no JSON, or not of the form.
        BrokenOffAnswer: it begins like one.
        WrongVectors: a vector is missing, there are more of them, or their dimensions differ.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        if not body.strip() or body.lstrip().startswith(b"{"):
            raise BrokenOffAnswer("its answer ends in the middle") from None
        raise MalformedAnswer(f"no JSON but {_begin(body)}") from None
    items = document.get("data") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise MalformedAnswer(f"JSON without a list named data: {_begin(body)}")
    vectors = [_vector(item) for item in _in_order(items, texts)]
    if len({len(vector) for vector in vectors}) > 1:
        raise WrongVectors("vectors of different dimensions")
    return Answer(np.stack(vectors), _tokens(document.get("usage")), str(document.get("model") or ""))


def _in_order(items: Sequence[Any], texts: int) -> list[dict[str, Any]]:
    if not all(isinstance(item, dict) for item in items):
        raise MalformedAnswer("data that is not a list of objects")
    if len(items) != texts:
        raise WrongVectors(f"{len(items)} vectors for {texts} texts")
    places = [item.get("index") for item in items]
    if all(place is None for place in places):
        return list(items)
    if any(type(place) is not int for place in places) or sorted(places) != list(range(texts)):
        raise WrongVectors("an index that is missing or occurs twice")
    return sorted(items, key=lambda item: int(item["index"]))


def _vector(item: dict[str, Any]) -> NDArray[np.float32]:
    given = item.get("embedding")
    if isinstance(given, str):
        try:
            return np.frombuffer(base64.b64decode(given, validate=True), _NUMBERS).astype(np.float32)
        except (binascii.Error, ValueError):
            raise MalformedAnswer("an embedding that is no base64 of float32") from None
    if not isinstance(given, list):
        raise MalformedAnswer("an embedding that is neither a list nor a text")
    try:
        found = np.asarray(given)
        if found.ndim != 1 or found.dtype.kind not in "fiO":
            raise TypeError
        with np.errstate(over="ignore"):
            return found.astype(np.float32)  # null becomes NaN, and a number beyond float32 infinite
    except (TypeError, ValueError, OverflowError):
        raise MalformedAnswer("an embedding that is no list of numbers") from None


def _tokens(usage: object) -> int | None:
    """Read what the server bills; servers name it in two ways."""
    if isinstance(usage, dict):
        for name in ("total_tokens", "prompt_tokens"):
            count = usage.get(name)
            if type(count) is int and count >= 0:
                return count
    return None


def _begin(body: bytes) -> str:
    return repr(" ".join(body[:200].decode("utf-8", "replace").split())[:60])
