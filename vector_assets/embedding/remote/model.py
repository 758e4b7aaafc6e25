"""Which model of which server embeds, and in which words it is asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...domain.providers import Provider

Fields = Mapping[str, object]


@dataclass(frozen=True)
class RemoteModel:
    """A model of a server, as the settings or a stored space name it.

    Attributes:
        api_base: the address up to `/embeddings`, without a slash at its end.
        query: parameters of the address, e.g. Azure's `api-version`.
        dimensions: how many are asked for; None: as many as the model has.
        document_fields, query_fields: fields of the request for documents and for questions. They replace others of
            the same name, also `model`.
        tokens_per_minute: the limit, as far as it is known.
        price_per_million: of tokens, in `provider.currency`; None: unknown.
    """

    provider: Provider
    api_base: str
    name: str
    key: str = field(default="", repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    dimensions: int | None = None
    document_prompt: str = ""
    query_prompt: str = ""
    document_fields: Fields = field(default_factory=dict)
    query_fields: Fields = field(default_factory=dict)
    tokens_per_minute: int | None = None
    price_per_million: float | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request. Answers are small, and a packed one could be of any size."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self.key:
            bearer = self.provider.key_header.lower() == "authorization"
            headers[self.provider.key_header] = f"Bearer {self.key}" if bearer else self.key
        return headers

    @property
    def identity(self) -> str:
        """What requests say beside the model and the text, as JSON: part of the identity of the space."""
        parts = {"dimensions": self.dimensions, "document": self.document_fields, "query": self.query_fields}
        return json.dumps({name: part for name, part in parts.items() if part}, sort_keys=True, ensure_ascii=False)

    def body(self, texts: list[str], fields: Fields) -> bytes:
        """Write the request for these texts."""
        asked: dict[str, object] = {"model": self.name, "input": texts}
        if self.provider.format_field:
            asked[self.provider.format_field] = "base64"
        if self.dimensions:
            asked[self.provider.dimensions_field] = self.dimensions
        return json.dumps(asked | dict(fields), ensure_ascii=False).encode("utf-8", "surrogatepass")
