"""What the status of an answer means: wait, halve the batch, or end the run with the fix."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from ...errors import EmbedderBusy, EmbedderOverLimit, EmbedderRefused, ModelError, TextsRefused
from .model import RemoteModel
from .waits import retry_after

# What passes by itself, beside every 5xx: a timeout at the server, a conflict, too early.
_PASSES = {408, 409, 425}
# The server looked at the texts and does not take them: wrong, too large, not to be processed.
_OF_TEXTS = {400, 413, 422}
# How OpenAI-compatible servers say that no pause helps, under a status that otherwise passes.
_QUOTA = ("insufficient_quota", "billing", "arrearage", "quota_exceeded", "exceeded your current quota")
_SHOWN_CHARACTERS = 200

_FIXES = {
    401: "Set EMBEDDING_API_KEY to a valid key.",
    402: "Pay the bill of the provider, or choose another one with EMBEDDING_PROVIDER.",
    403: "Use a key that may call this model, or choose another with EMBEDDING_MODEL.",
    404: "Correct EMBEDDING_API_BASE (the address up to /embeddings, often ending in /v1) or EMBEDDING_MODEL.",
    407: "Correct the user and password of the proxy in HTTPS_PROXY.",
}
_ANY_FIX = "Check EMBEDDING_API_BASE and EMBEDDING_PROVIDER; vector-assets doctor tries them."


def refusal(model: RemoteModel, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
    """Return the error for an answer that is no success. `headers` are looked up in lower case."""
    said = _said(body, model.key)
    reason = f"{status} {_phrase(status)}" + (f": {said}" if said else "")
    if 300 <= status < 400:
        target = headers.get("location", "nowhere")
        fix = "Set EMBEDDING_API_BASE to the final address, if you trust it: keys and texts follow no redirect."
        return EmbedderRefused(model.name, model.api_base, f"redirects to {target}", fix)
    if status in {402, 403, 429} and any(word in body.decode("utf-8", "replace").lower() for word in _QUOTA):
        return EmbedderRefused(model.name, model.api_base, f"says that the quota is used up ({reason})", _FIXES[402])
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return EmbedderOverLimit(model.name, reason, retry_after(headers))
    if status in _PASSES or status >= 500:
        return EmbedderBusy(model.name, reason, retry_after(headers))
    if status in _OF_TEXTS:
        return TextsRefused(model.name, reason)
    return EmbedderRefused(model.name, model.api_base, f"answers {reason}", _FIXES.get(status, _ANY_FIX))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown status"


def _said(body: bytes, key: str) -> str:
    """Return the message of the answer, on one line and without the key."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return ""
    error = document.get("error", document)
    message = error.get("message", "") if isinstance(error, dict) else error
    shown = " ".join(str(message).split())
    return (shown.replace(key, "***") if key else shown)[:_SHOWN_CHARACTERS]
