"""The one place that reads the environment."""

import json
import os
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .domain.providers import LOCAL, PROVIDERS
from .errors import DAGSTER_DATABASE_URL, InvalidSetting
from .quality.limits import LIMIT_NAMES, QualityLimits
from .translation import Language
from .vector_index.decision import INDEX_FROM

QUALITY_LIMITS = "VECTOR_ASSETS_QUALITY_LIMITS"
# How the names of settings begin, and of slips such as VECTOR_ASSET_HOME.
_PREFIXES = ("VECTOR_ASSET", "VECTORASSET", "EMBEDDING_", "EMBEDING_")
_PREFIX = re.compile("^(?:VECTOR_?ASSETS?|EMBEDD?ING)_*")
_PROMPTS = {"EMBEDDING_DOCUMENT_PROMPT", "EMBEDDING_QUERY_PROMPT"}
# Their values are words of a list, which people write with capitals too.
_WORDS = {
    "EMBEDDING_PROVIDER",
    "EMBEDDING_DEVICE",
    "EMBEDDING_BACKEND",
    "EMBEDDING_PRECISION",
    "VECTOR_ASSETS_LANGUAGE",
}


class Settings(BaseSettings):
    """Everything that can be set; `validation_alias` has the name of each environment variable."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    home: Path = Field(
        Path(".vector_assets"),
        validation_alias="VECTOR_ASSETS_HOME",
        description="The directory of everything that the product writes: the embedded database and Dagster's files.",
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias="VECTOR_ASSETS_DATABASE_URL",
        description="The URL of a PostgreSQL server with pgvector. Unset: the embedded server in VECTOR_ASSETS_HOME.",
    )
    database_schema: str = Field(
        "vector_assets",
        validation_alias="VECTOR_ASSETS_SCHEMA",
        description="The schema of the tables in that database. Several may lie side by side, each for itself.",
    )
    dagster_database_url: SecretStr | None = Field(
        None,
        validation_alias=DAGSTER_DATABASE_URL,
        description="The URL of Dagster's own database. Unset: one beside the product's, named after it with _dagster.",
    )
    landing_dir: Path = Field(
        Path("landing"),
        validation_alias="VECTOR_ASSETS_LANDING_DIR",
        description="The directory where filings arrive; its layout is market/doc_type/stock_code/<file>.",
    )
    chunk_tokens: int = Field(
        192,
        ge=16,
        validation_alias="VECTOR_ASSETS_CHUNK_TOKENS",
        description="The most tokens in a chunk, with special tokens. If the model's own limit is lower, that applies.",
    )
    embedding_model: str | None = Field(
        None,
        validation_alias="EMBEDDING_MODEL",
        description="A sentence-transformers model, by name or folder. Unset: the model that serves, or in an empty "
        "database multilingual-e5-small-q4, which is bundled and reads English, Chinese and some 90 other languages.",
    )
    embedding_provider: str | None = Field(
        None,
        validation_alias="EMBEDDING_PROVIDER",
        description=f"Who runs the model: {LOCAL} (this machine), openai (any OpenAI-compatible server), or "
        f"{', '.join(name for name in PROVIDERS if name != 'openai')}. Unset: local, or that of the space that serves.",
    )
    embedding_api_base: str | None = Field(
        None,
        validation_alias="EMBEDDING_API_BASE",
        description="The server's address up to /embeddings, e.g. http://localhost:8000/v1. Unset: the provider's.",
    )
    embedding_api_key: SecretStr | None = Field(
        None,
        validation_alias="EMBEDDING_API_KEY",
        description="The key for that server. It is sent nowhere else.",
    )
    embedding_api_key_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9-]+$",
        validation_alias="EMBEDDING_API_KEY_HEADER",
        description="The header that carries the key. Unset: the provider's, mostly Authorization.",
    )
    embedding_api_query: Annotated[Mapping[str, str], NoDecode] = Field(
        {},
        validation_alias="EMBEDDING_API_QUERY",
        description='Parameters of the address as JSON, e.g. {"api-version": "2024-10-21"}.',
    )
    embedding_dimensions: int | None = Field(
        None,
        ge=1,
        le=4_000,
        validation_alias="EMBEDDING_DIMENSIONS",
        description="How many dimensions the server is asked for. Unset: as many as the model has.",
    )
    embedding_document_fields: Annotated[Mapping[str, Any] | None, NoDecode] = Field(
        None,
        validation_alias="EMBEDDING_DOCUMENT_FIELDS",
        description='Fields of the request for chunks as JSON, e.g. {"input_type": "passage"}. Unset: the provider\'s.',
    )
    embedding_query_fields: Annotated[Mapping[str, Any] | None, NoDecode] = Field(
        None,
        validation_alias="EMBEDDING_QUERY_FIELDS",
        description='The same for questions, e.g. {"input_type": "query"}. Unset: the provider\'s.',
    )
    embedding_requests_per_minute: int | None = Field(
        None,
        ge=1,
        validation_alias="EMBEDDING_REQUESTS_PER_MINUTE",
        description="The most requests a minute of all processes on this database. Unset: what the server takes.",
    )
    embedding_tokens_per_minute: int | None = Field(
        None,
        ge=1,
        validation_alias="EMBEDDING_TOKENS_PER_MINUTE",
        description="The most tokens a minute of all processes on this database. Unset: what the server takes.",
    )
    embedding_price_per_million: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        validation_alias="EMBEDDING_PRICE_PER_MILLION",
        description="The price of a million tokens, for plans and budgets. Unset: the provider's, where it is known.",
    )
    max_tokens_per_day: int | None = Field(
        None,
        ge=1,
        validation_alias="VECTOR_ASSETS_MAX_TOKENS_PER_DAY",
        description="The most tokens that all runs together may use in a day (UTC). Unset: any number.",
    )
    max_cost_per_day: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        validation_alias="VECTOR_ASSETS_MAX_COST_PER_DAY",
        description="The same as money, in the currency of the provider's price. Unset: any sum.",
    )
    embedding_device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto",
        validation_alias="EMBEDDING_DEVICE",
        description="The device that runs the model: auto, cpu, cuda or mps.",
    )
    embedding_backend: Literal["auto", "openvino", "torch"] = Field(
        "auto",
        validation_alias="EMBEDDING_BACKEND",
        description="The library that runs the model: auto (torch on a GPU, OpenVINO elsewhere), openvino or torch.",
    )
    embedding_precision: Literal["auto", "f32"] = Field(
        "auto",
        validation_alias="EMBEDDING_PRECISION",
        description="Arithmetic: auto (16 bits where the hardware computes with them, else as f32) or f32.",
    )
    embedding_batch_size: int = Field(
        32,
        ge=1,
        le=4096,
        validation_alias="EMBEDDING_BATCH_SIZE",
        description="The most chunks in a batch, which is the unit of progress, commit and failure.",
    )
    embedding_document_prompt: str | None = Field(
        None,
        validation_alias="EMBEDDING_DOCUMENT_PROMPT",
        description="Text put before each chunk. Unset: the prompt in the model's files, or of its family.",
    )
    embedding_query_prompt: str | None = Field(
        None,
        validation_alias="EMBEDDING_QUERY_PROMPT",
        description="Text put before each question. Unset: the prompt in the model's files, or of its family.",
    )
    embed_timeout_seconds: float = Field(
        600,
        ge=1,
        le=86_400,
        allow_inf_nan=False,
        validation_alias="VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS",
        description="A run fails when loading the model or embedding a batch takes more seconds than this, or when "
        "the embedder is busy for as long.",
    )
    max_failed_fraction: float = Field(
        0.05,
        ge=0,
        le=1,
        allow_inf_nan=False,
        validation_alias="VECTOR_ASSETS_MAX_FAILED_FRACTION",
        description="A run fails when more than this share of its chunks failed; 0: any failure, 1: never.",
    )

    quality_limits: Annotated[QualityLimits, NoDecode] = Field(
        QualityLimits(),
        validation_alias=QUALITY_LIMITS,
        description='Limits of the checks that differ from the defaults, as JSON, e.g. {"max_unknown_share": 0.1}; '
        "docs/quality.md lists them.",
    )

    max_partitions_per_run: int = Field(
        50,
        ge=1,
        le=10_000,
        validation_alias="VECTOR_ASSETS_MAX_PARTITIONS_PER_RUN",
        description="The most neighbouring partitions that a backfill or a sensor puts into one run.",
    )
    lease_seconds: float = Field(
        60.0,
        ge=1,
        le=86_400,
        allow_inf_nan=False,
        validation_alias="VECTOR_ASSETS_LEASE_SECONDS",
        description="A run that gives no sign of life for so many seconds loses its partition to the next run.",
    )
    index_from_vectors: int = Field(
        INDEX_FROM,
        ge=1,
        validation_alias="VECTOR_ASSETS_INDEX_FROM_VECTORS",
        description="An index is built from so many vectors on, and answers searches whose filter leaves so many.",
    )
    index_memory_gib: float = Field(
        2.0,
        gt=0,
        allow_inf_nan=False,
        validation_alias="VECTOR_ASSETS_INDEX_MEMORY_GIB",
        description="The most memory, in GiB, that the database server may use to build an index.",
    )
    reranker: str | None = Field(
        None,
        min_length=1,
        validation_alias="VECTOR_ASSETS_RERANKER",
        description="A cross-encoder of sentence-transformers, by name or folder, which orders the best 50 hits of a "
        "search again. Unset: none does.",
    )
    freshness_slo_hours: float = Field(
        24.0,
        gt=0,
        allow_inf_nan=False,
        validation_alias="VECTOR_ASSETS_FRESHNESS_SLO_HOURS",
        description="The check of gold/coverage fails when a partition has been pending for more hours than this.",
    )

    language: Literal["auto", "en", "zh"] = Field(
        "auto",
        validation_alias="VECTOR_ASSETS_LANGUAGE",
        description="The language of progress, check results and the terminal: auto (that of the locale), en or zh.",
    )

    @property
    def asks_a_server(self) -> bool:
        """Whether the configured model is one of a server."""
        return self.embedding_provider not in {None, LOCAL}

    @property
    def limits_per_minute(self) -> tuple[int | None, int | None]:
        """The limits of requests and of tokens; None: unknown."""
        return self.embedding_requests_per_minute, self.embedding_tokens_per_minute

    @property
    def models_dir(self) -> Path:
        """Where bundled models are unpacked, and models converted for OpenVINO are kept."""
        return self.home / "models"

    @property
    def display_language(self) -> Language:
        """The language to use. `auto` is Chinese in a Chinese locale and English in any other."""
        if self.language != "auto":
            return self.language
        # The order of POSIX: the first variable that is set decides.
        locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
        return "zh" if locale.lower().startswith("zh") else "en"

    @field_validator("home", "landing_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().resolve()

    @field_validator("embedding_model")
    @classmethod
    def _absolute_folder(cls, model: str | None) -> str | None:
        """Keep naming the same folder in processes with another working directory."""
        if not model:
            return None
        folder = Path(model).expanduser()
        return str(folder.resolve()) if folder.is_dir() else model

    @field_validator("embedding_provider")
    @classmethod
    def _known_provider(cls, name: str | None) -> str | None:
        if name not in {None, LOCAL, *PROVIDERS}:
            raise ValueError(f"no provider {name!r}; there are {', '.join([LOCAL, *PROVIDERS])}")
        return name

    @field_validator("embedding_api_base")
    @classmethod
    def _address(cls, address: str | None) -> str | None:
        """Refuse what would show a secret in messages, or is no address."""
        if address is None:
            return None
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("no http or https address")
        if parts.username or parts.query or parts.fragment:
            raise ValueError("no user, password or parameters belong here; see EMBEDDING_API_KEY, EMBEDDING_API_QUERY")
        return address.rstrip("/").removesuffix("/embeddings")

    @field_validator("embedding_api_query", "embedding_document_fields", "embedding_query_fields", mode="before")
    @classmethod
    def _object_of_json(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ValueError('no JSON object, e.g. {"input_type": "query"}')
        return found

    @field_validator("quality_limits", mode="before")
    @classmethod
    def _limits_of_json(cls, value: object) -> object:
        return QualityLimits.from_json(value) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, values: dict[str, object]) -> dict[str, object]:
        """Take white space or quotes around a value as a slip, and a blank value as none.

        Files of variables are read by programs of which some keep the quotes. In a prompt, all of it has a meaning.
        """
        meant = {name: value if name in _PROMPTS else _as_meant(name, value) for name, value in values.items()}
        return {name: value for name, value in meant.items() if value != "" or name in _PROMPTS}


def _as_meant(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    return text.lower() if name in _WORDS else text


def load_settings(**given: Any) -> Settings:
    """Read the environment; values that are given by field name override it.

    Raises:
        InvalidSetting: a value cannot be used; the message names its variable.
    """
    # Fields are read by the names of their variables only: by its own name, `home` would be read from HOME.
    by_variable = {str(Settings.model_fields[name].validation_alias): value for name, value in given.items()}
    try:
        return Settings(**by_variable)
    except ValidationError as error:
        raise _invalid_setting(error) from None


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Find the variables that are named like settings and are none, each with the nearest setting if one is near."""
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    unknown = [name for name in environment if name.startswith(_PREFIXES) and name not in known]
    return {name: _nearest_variable(name, known) for name in sorted(unknown)}


def _nearest_variable(name: str, known: Collection[str]) -> str | None:
    """Find the variable with the nearest name, first by what follows the prefix, which may be another one's."""
    by_rest = {_PREFIX.sub("", variable): variable for variable in sorted(known)}
    near = get_close_matches(_PREFIX.sub("", name), by_rest, n=1, cutoff=0.75)
    return by_rest[near[0]] if near else next(iter(get_close_matches(name, known, n=1)), None)


def _invalid_setting(error: ValidationError) -> InvalidSetting:
    """Take the first problem. The value itself stays out: it may be a URL with a password."""
    first = error.errors(include_input=False)[0]
    variable, *names = (str(name) for name in first["loc"] or ("settings",))
    fix = "Correct it, or unset it for the default."
    if variable == QUALITY_LIMITS:
        fix = f"Give a JSON object whose names are any of {', '.join(LIMIT_NAMES)}, each with a number from 0 to 1."
    return InvalidSetting(variable, ": ".join([*names, first["msg"].lower()]), fix)
