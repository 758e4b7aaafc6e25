"""Makes the embedder of a model: one that this machine runs, or one of a server."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from tokenizers import Tokenizer

from .domain.providers import LOCAL, PROVIDERS, Provider
from .domain.spaces import EmbeddingSpace, RegisteredSpace
from .embedding.bundled.unpacking import is_unpacked
from .embedding.devices import openvino_serves
from .embedding.model_description import describe_space
from .embedding.model_files import default_model, find_model, same_tokenizer
from .embedding.openvino.embedder import OpenVINOEmbedder
from .embedding.prompt_families import family_of
from .embedding.prompts import Prompts, PromptSource, find_prompts
from .embedding.remote.embedder import MOST_BATCH_TEXTS, RemoteEmbedder
from .embedding.remote.model import RemoteModel
from .embedding.token_counter import TokenCounter
from .embedding.torch_embedder import SentenceTransformerEmbedder
from .errors import InvalidSetting, ModelError, RecipeChanged, WeightsChanged
from .ports import RateLimits
from .settings import Settings

AnyEmbedder: TypeAlias = OpenVINOEmbedder | SentenceTransformerEmbedder | RemoteEmbedder


def local_embedder(
    settings: Settings, model: str, document_prompt: str | None, query_prompt: str | None
) -> OpenVINOEmbedder | SentenceTransformerEmbedder:
    """Make the embedder of a model that this machine runs: by OpenVINO on CPUs, by torch elsewhere."""
    models = settings.models_dir
    folder = find_model(model, models)
    space = describe_space(folder, document_prompt, query_prompt)
    counter = TokenCounter(folder, space)
    by_torch = SentenceTransformerEmbedder(
        folder, space, counter, settings.embedding_device, settings.embedding_precision
    )
    if not openvino_serves(settings.embedding_backend, settings.embedding_device):
        return by_torch
    return OpenVINOEmbedder(folder, space, counter, models, settings.embedding_precision, by_torch)


def likely_embedder(settings: Settings) -> OpenVINOEmbedder | None:
    """Make the embedder that a process is likely to need, before the database says which; None: it may be any.

    It is the one that the settings name, or else the bundled one, where that is unpacked. Nothing is written.
    """
    if settings.asks_a_server:
        return None
    if settings.embedding_model is None and not is_unpacked(settings.models_dir):
        return None
    prompts = settings.embedding_document_prompt, settings.embedding_query_prompt
    try:
        embedder = local_embedder(settings, settings.embedding_model or default_model(settings.models_dir), *prompts)
    except ModelError:
        return None  # it is raised again once the model is needed
    return embedder if isinstance(embedder, OpenVINOEmbedder) else None


def remote_embedder(
    settings: Settings,
    spaces: Sequence[RegisteredSpace],
    limits_of: Callable[[str], RateLimits | None],
    pause: Callable[[float], object],
) -> RemoteEmbedder:
    """Make the embedder of the server that the settings name; one of the spaces may be its own.

    `limits_of` gives the limits that all processes share for a model at an address.

    Raises:
        InvalidSetting: a setting is missing, or two of them contradict one another.
    """
    model = _remote_model(settings)
    known = next((item.space for item in reversed(spaces) if _is_of(item.space, model)), None)

    def counter(space: EmbeddingSpace) -> TokenCounter | None:
        name = same_tokenizer(model.name)
        return TokenCounter(find_model(name, settings.models_dir), space) if name else None

    def tokenizer() -> Tokenizer:
        folder = find_model(default_model(settings.models_dir), settings.models_dir)
        return TokenCounter(folder, describe_space(folder)).tokenizer

    limits = limits_of(f"{model.name} at {model.api_base}")
    return RemoteEmbedder(model, known, counter, tokenizer, limits, pause)


def default_batch_size(settings: Settings, embedder: AnyEmbedder) -> int:
    """Say how many chunks a batch has: as set; else, of a server, as many as it takes in a request."""
    if isinstance(embedder, RemoteEmbedder) and "embedding_batch_size" not in settings.model_fields_set:
        return min(embedder.most_texts, MOST_BATCH_TEXTS)
    return settings.embedding_batch_size


def prompts_of(settings: Settings, embedder: AnyEmbedder) -> Prompts:
    """Say which prompts the settings, the model's files or its family name. Files on a server are not seen."""
    given = settings.embedding_document_prompt, settings.embedding_query_prompt
    if not isinstance(embedder, RemoteEmbedder):
        return find_prompts(find_model(embedder.space.source, settings.models_dir), *given)
    model, source = embedder.model, PromptSource.SETTINGS if any(given) else PromptSource.NONE
    by_fields = bool(model.document_fields or model.query_fields)  # the server itself adds what the model needs
    return Prompts(given[0] or "", given[1] or "", source, None if by_fields else family_of([model.name]))


def require_recipe(embedder: AnyEmbedder, space: EmbeddingSpace) -> None:
    """Refuse an embedder that is not the one that made the vectors of a space.

    Raises:
        WeightsChanged: it has other weights.
        RecipeChanged: its files say otherwise than they did then.
    """
    found = embedder.space
    if found.weights_digest != space.weights_digest:
        raise WeightsChanged(space.model, space.weights_digest, found.weights_digest)
    for name in ("pooling", "dimension"):
        if getattr(found, name) != getattr(space, name):
            raise RecipeChanged(space.model, name, getattr(space, name), getattr(found, name))


def settings_of_space(settings: Settings, space: EmbeddingSpace) -> Settings:
    """Configure the model of a space. A key and an address are kept only if they are meant for its provider."""
    asked = json.loads(space.request or "{}")
    changes: dict[str, object] = {
        "embedding_model": space.source,
        "embedding_provider": space.provider or LOCAL,
        "embedding_document_prompt": space.document_prompt,
        "embedding_query_prompt": space.query_prompt,
        "embedding_dimensions": asked.get("dimensions"),
        "embedding_document_fields": asked.get("document", {}),
        "embedding_query_fields": asked.get("query", {}),
    }
    if settings.asks_a_server and settings.embedding_provider != space.provider:
        changes |= {"embedding_api_base": None, "embedding_api_key": None, "embedding_api_query": {}}
        changes |= {"embedding_api_key_header": None, "embedding_price_per_million": None}
    return settings.model_copy(update=changes)


def _remote_model(settings: Settings) -> RemoteModel:
    provider = _provider(settings)
    if not settings.embedding_model:
        fix = f"Set it to a model of {provider.name}."
        raise InvalidSetting("EMBEDDING_MODEL", f"is not set, but EMBEDDING_PROVIDER is {provider.name}", fix)
    document_fields, query_fields = settings.embedding_document_fields, settings.embedding_query_fields
    model = RemoteModel(
        provider,
        settings.embedding_api_base or provider.api_base,
        settings.embedding_model,
        settings.embedding_api_key.get_secret_value() if settings.embedding_api_key else "",
        settings.embedding_api_query,
        settings.embedding_dimensions,
        settings.embedding_document_prompt or "",
        settings.embedding_query_prompt or "",
        provider.document_fields if document_fields is None else document_fields,
        provider.query_fields if query_fields is None else query_fields,
        settings.embedding_tokens_per_minute,
        _price(settings, provider),
    )
    _require_one_prefix(model)
    return model


def _provider(settings: Settings) -> Provider:
    """Find the preset, with what the settings replace. A server of one's own takes less than the provider's."""
    preset = PROVIDERS[settings.embedding_provider or "openai"]
    base = settings.embedding_api_base
    if preset.name == "openai" and base is not None and base != preset.api_base:
        preset = Provider("openai", describes_itself=True)
    if not (base or preset.api_base):
        fix = "Set it to the address up to /embeddings, e.g. http://localhost:8000/v1."
        raise InvalidSetting("EMBEDDING_API_BASE", f"is not set, and {preset.name} has no address of its own", fix)
    if settings.embedding_api_key_header:
        return replace(preset, key_header=settings.embedding_api_key_header)
    return preset


def _price(settings: Settings, provider: Provider) -> float | None:
    if settings.embedding_price_per_million is not None:
        return settings.embedding_price_per_million
    return provider.price_of(settings.embedding_model or "")


def _require_one_prefix(model: RemoteModel) -> None:
    """Refuse a prompt beside a field by which the server puts a prompt of its own before the text."""
    for role, prompt, fields in (
        ("DOCUMENT", model.document_prompt, model.document_fields),
        ("QUERY", model.query_prompt, model.query_fields),
    ):
        if prompt and fields:
            names = ", ".join(fields)
            problem = f"is set beside the field {names} of the request, for which the server adds its own prompt"
            fix = f"Unset it, or set EMBEDDING_{role}_FIELDS={{}}."
            raise InvalidSetting(f"EMBEDDING_{role}_PROMPT", problem, fix)


def _is_of(space: EmbeddingSpace, model: RemoteModel) -> bool:
    asked = (model.name, model.provider.name, model.document_prompt, model.query_prompt, model.identity)
    return asked == (space.model, space.provider, space.document_prompt, space.query_prompt, space.request)
