"""The one place that reads the environment."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .domain.reports import UNKNOWN_SHARE_LIMIT
from .errors import InvalidSetting
from .quality.drift import MIN_COSINE
from .quality.readability import UNREADABLE_LIMIT


def _share(default: float, variable: str, description: str) -> Any:
    return Field(default, ge=0, le=1, allow_inf_nan=False, validation_alias=variable, description=description)


class Settings(BaseSettings):
    """What can be set, by the names of the environment variables in `validation_alias`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    home: Path = Field(
        Path(".vector_assets"),
        validation_alias="VECTOR_ASSETS_HOME",
        description="Everything the product writes lies here: the embedded database, Dagster's files.",
    )
    database_url: SecretStr | None = Field(
        None,
        validation_alias="VECTOR_ASSETS_DATABASE_URL",
        description="A PostgreSQL server with pgvector. Unset: the embedded server under the home directory.",
    )
    landing_dir: Path = Field(
        Path("landing"),
        validation_alias="VECTOR_ASSETS_LANDING_DIR",
        description="Where filings arrive, laid out as market/doc_type/stock_code/<file>.",
    )
    chunk_tokens: int = Field(
        256,
        ge=16,
        validation_alias="VECTOR_ASSETS_CHUNK_TOKENS",
        description="Tokens in a chunk at most, special tokens included; the model's own limit wins if it is lower.",
    )
    embedding_model: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2",
        min_length=1,
        validation_alias="EMBEDDING_MODEL",
        description="A sentence-transformers model: a name, or a folder. The default is bundled and reads English.",
    )
    embedding_device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto",
        validation_alias="EMBEDDING_DEVICE",
        description="Where the model runs: auto, cpu, cuda or mps.",
    )
    embedding_backend: Literal["auto", "openvino", "torch"] = Field(
        "auto",
        validation_alias="EMBEDDING_BACKEND",
        description="What runs the model: auto (OpenVINO unless there is a GPU), openvino or torch.",
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
        description="Chunks in a batch at most: the unit of progress, commit and failure.",
    )
    embedding_document_prompt: str | None = Field(
        None,
        validation_alias="EMBEDDING_DOCUMENT_PROMPT",
        description="Text put before each chunk. Unset: what the model's own files say.",
    )
    embedding_query_prompt: str | None = Field(
        None,
        validation_alias="EMBEDDING_QUERY_PROMPT",
        description="Text put before each question. Unset: what the model's own files say.",
    )
    embed_timeout_seconds: float = Field(
        600,
        ge=1,
        le=86_400,
        allow_inf_nan=False,
        validation_alias="VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS",
        description="A run ends when loading the model, or its answer for a batch, takes longer than this.",
    )
    max_failed_fraction: float = Field(
        0.05,
        ge=0,
        le=1,
        allow_inf_nan=False,
        validation_alias="VECTOR_ASSETS_MAX_FAILED_FRACTION",
        description="A run fails when more than this share of its chunks failed: 0 for any, 1 for never.",
    )

    max_unknown_share: float = _share(
        UNKNOWN_SHARE_LIMIT,
        "VECTOR_ASSETS_MAX_UNKNOWN_SHARE",
        "vocabulary_covers_text warns above this share of tokens that the model does not know.",
    )
    max_lost_share: float = _share(
        0.0,
        "VECTOR_ASSETS_MAX_LOST_SHARE",
        "nothing_truncated warns above this share of tokens beyond what the model reads.",
    )
    max_unreadable_share: float = _share(
        UNREADABLE_LIMIT,
        "VECTOR_ASSETS_MAX_UNREADABLE_SHARE",
        "text_is_readable warns above this share of characters that are signs of a wrong encoding.",
    )
    # In 19 partitions of real filings there were none in 16, and 2.2 % in the worst (lone figures of tables).
    max_fragments_share: float = _share(
        0.05,
        "VECTOR_ASSETS_MAX_FRAGMENTS_SHARE",
        "chunk_sizes_in_range warns above this share of chunks of fewer than 20 bytes.",
    )
    min_drift_cosine: float = _share(
        MIN_COSINE,
        "VECTOR_ASSETS_MIN_DRIFT_COSINE",
        "A run stops when a fixed text comes out below this cosine with what it was.",
    )
    # A chunk of real filings that is embedded again has a cosine of 0.99999 with its vector, from one precision to the
    # other (f32, bf16) of 0.9999. Vectors of earlier versions, made with 8-bit products, have 0.9991.
    min_retrieval_cosine: float = _share(
        0.998,
        "VECTOR_ASSETS_MIN_RETRIEVAL_COSINE",
        "self_retrieval fails when a chunk embedded again is below this cosine with its own vector.",
    )

    max_partitions_per_run: int = Field(
        50,
        ge=1,
        le=10_000,
        validation_alias="VECTOR_ASSETS_MAX_PARTITIONS_PER_RUN",
        description="Neighbouring partitions that a backfill or a sensor puts into one run, at most.",
    )
    freshness_slo_hours: float = Field(
        24.0,
        gt=0,
        allow_inf_nan=False,
        validation_alias="VECTOR_ASSETS_FRESHNESS_SLO_HOURS",
        description="The check of gold/coverage fails when a partition has been pending for longer than this.",
    )

    @field_validator("home", "landing_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().resolve()

    @field_validator("embedding_model")
    @classmethod
    def _absolute_folder(cls, model: str) -> str:
        """A folder stays the same one in processes that work elsewhere."""
        folder = Path(model).expanduser()
        return str(folder.resolve()) if folder.is_dir() else model

    @field_validator("database_url", mode="before")
    @classmethod
    def _unset_when_blank(cls, value: object) -> object:
        return None if value == "" else value


def load_settings(**given: Any) -> Settings:
    """Read the environment; what is given here by field name wins.

    Raises:
        InvalidSetting: the first value that cannot be used, by the name of its variable.
    """
    # By their variables' names: were fields read by their own names too, HOME would be taken for `home`.
    by_variable = {str(Settings.model_fields[name].validation_alias): value for name, value in given.items()}
    try:
        return Settings(**by_variable)
    except ValidationError as error:
        first = error.errors()[0]
        variable = str(first["loc"][0]) if first["loc"] else "settings"
        # The value itself stays out: it may be a URL with a password.
        raise InvalidSetting(variable, first["msg"].lower(), "Correct it, or unset it for the default.") from None
