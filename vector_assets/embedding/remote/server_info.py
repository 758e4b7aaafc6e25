"""What a server says of itself: which model it runs, and what it takes in one request."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .client import EmbeddingClient
from .model import RemoteModel

# What identifies the weights in the `/info` of Text Embeddings Inference.
_IDENTITY = ("model_id", "model_sha", "model_dtype")


@dataclass(frozen=True)
class ServerInfo:
    """What a server says of itself; None and empty: nothing. `digest` changes when its model does."""

    digest: str = ""
    description: str = ""
    text_tokens: int | None = None
    most_texts: int | None = None
    most_tokens: int | None = None


def ask_server(client: EmbeddingClient, model: RemoteModel) -> ServerInfo:
    """Ask `/info` and `/models` of a server that has them.

    Raises:
        EmbedderBusy, EmbedderRefused: it cannot be reached.
    """
    if not model.provider.describes_itself:
        return ServerInfo()
    info = client.document(model.api_base.removesuffix("/v1") + "/info")
    if isinstance(info, dict) and "model_id" in info:
        return _of_info(info)
    return _of_models(client.document(model.api_base + "/models"), model.name)


def _of_info(info: Mapping[str, Any]) -> ServerInfo:
    identity = {name: str(info[name]) for name in _IDENTITY if info.get(name)}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    description = " ".join(filter(None, [*identity.values(), str(info.get("version") or "")]))
    limits = (_count(info.get(name)) for name in ("max_input_length", "max_client_batch_size", "max_batch_tokens"))
    return ServerInfo(digest, description, *limits)


def _of_models(document: object, name: str) -> ServerInfo:
    """Read the list that vLLM and Infinity give; a server of one model may have another name for it."""
    listed = document.get("data") if isinstance(document, dict) else None
    models = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    chosen = next((item for item in models if item.get("id") == name), models[0] if len(models) == 1 else {})
    description = " ".join(str(chosen[key]) for key in ("id", "owned_by") if chosen.get(key))
    return ServerInfo(description=description, text_tokens=_count(chosen.get("max_model_len")))


def _count(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None
