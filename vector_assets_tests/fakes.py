"""Fakes for components that are slow or must fail on demand, and functions that set up what a test needs."""

import hashlib
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from uuid import UUID

import numpy as np
from pydantic import SecretStr
from sqlalchemy import URL
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from vector_assets.domain.chunks import DocumentChunk, TokenizedText
from vector_assets.domain.documents import Document
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.spaces import EmbeddingSpace, Vectors
from vector_assets.errors import ModelNotFound
from vector_assets.ports import ChunkStore, VectorStore
from vector_assets.quality.drift import REFERENCE_TEXTS
from vector_assets.quality.partition_facts import NearestChunk
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.audit_facts import AuditFacts
from vector_assets.storage.database import Database
from vector_assets.storage.retries import Retries
from vector_assets.vectorizer import Vectorizer

from .stores import AnyDatabase, stores_of

DIMENSION = 8
SPACE = EmbeddingSpace("hash", "1", "mean", "", "", DIMENSION, 64, "digest")
KEY = PartitionKey("us", "annual_report", "XTEST")


class WordTokenCounter:
    """A token counter that counts each word as one token."""

    room_for_text = SPACE.max_tokens

    @cached_property
    def tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = Whitespace()
        return tokenizer


class HashEmbedder:
    """An embedder that computes a vector from the hash of the text, and fails on texts that contain `poison`.

    `before` is called with the texts of each call of `embed`, so that a test can act while they are being embedded.
    `embedded` records the texts that were embedded.
    """

    def __init__(self, space: EmbeddingSpace = SPACE, poison: str = "POISON") -> None:
        self.space = space
        self.poison = poison
        self.before: Callable[[list[str]], None] = lambda _: None
        self.embedded: list[str] = []
        self.counter = WordTokenCounter()
        self.device = "cpu"
        self.tokens_used = None
        self.concurrency = 1

    def load(self) -> None:
        pass

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        counts = [len(text.split()) for text in texts]
        limit = self.space.max_tokens
        return [TokenizedText(text, n, min(n, limit), 0) for text, n in zip(texts, counts, strict=True)]

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        if all(item.text in REFERENCE_TEXTS for item in texts):  # these are not chunks, so they are not recorded
            return np.stack([vector_of(item.text, self.space.dimension) for item in texts])
        self.before([item.text for item in texts])
        if any(self.poison in item.text for item in texts):
            raise ValueError("poison")
        self.embedded.extend(item.text for item in texts)
        return np.stack([vector_of(item.text, self.space.dimension) for item in texts])

    def embed_query(self, text: str) -> Vectors:
        return vector_of(text, self.space.dimension)


def vector_of(text: str, dimension: int = DIMENSION) -> Vectors:
    """Return the vector that `HashEmbedder` gives a text: float32 (dimension,), of length 1."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).normal(size=dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


class UnrecordedAuditFacts(AuditFacts):
    """Audit facts that remove what a check embeds from the embedder's record, so that it holds what runs embed."""

    def __init__(self, database: Database, embedder: HashEmbedder) -> None:
        super().__init__(database)
        self._embedder = embedder

    def nearest(
        self, partition: PartitionKey, space_slug: str, run_id: str, chunk_ids: Sequence[UUID], vectors: Vectors
    ) -> list[NearestChunk]:
        del self._embedder.embedded[-len(chunk_ids) :]
        return super().nearest(partition, space_slug, run_id, chunk_ids, vectors)


class FakeServices(Services):
    """The real services with an embedder that takes no time.

    `others` are models that they can be asked for besides: each is found by the source of its space.
    """

    def __init__(
        self,
        url: URL,
        home: Path,
        landing: Path,
        embedder: HashEmbedder | None = None,
        retries: Retries | None = None,
        others: Sequence[HashEmbedder] = (),
        **settings: object,
    ) -> None:
        secret = SecretStr(url.render_as_string(hide_password=False))
        super().__init__(load_settings(database_url=secret, home=home, landing_dir=landing, **settings), retries)
        self.embedder = embedder or HashEmbedder()  # type: ignore[assignment]
        self._models = {model.space.source: model for model in (self.embedder, *others)}

    def _embedder(self, model: str, document_prompt: str | None, query_prompt: str | None) -> HashEmbedder:  # type: ignore[override]
        if model not in self._models:
            raise ModelNotFound(model, "the test has no such model")
        return self._models[model]

    @cached_property
    def audit_facts(self) -> AuditFacts:
        return UnrecordedAuditFacts(self.database, self.embedder)


def store_chunks(database: AnyDatabase, texts: Sequence[str], key: PartitionKey = KEY, name: str = "a.txt") -> None:
    """Store one document whose chunks are the texts, in the way ingestion does."""
    stores = stores_of(database)
    document = Document(f"{key}/{name}", key, "X", "title", "2024", "en", "\n".join(texts), "1")
    stores.documents.save([document], [])
    for stored in stores.chunking.unchunked_documents(key, "lines"):
        lines = re.finditer(r"^.*$", stored.text, re.MULTILINE) if stored.text else []
        chunks = [DocumentChunk(line[0], *line.span()) for line in lines]
        stores.chunking.replace_chunks(stored, chunks, "lines")


def make_vectorizer(
    database: AnyDatabase,
    embedder: HashEmbedder,
    batch_size: int = 4,
    embed_timeout_seconds: float = 600.0,
    *,
    chunks: ChunkStore | None = None,
    vectors: VectorStore | None = None,
) -> Vectorizer:
    """Make the loop over the database's stores, or over the given ones. The embedder's space becomes a live one."""
    stores, slug = stores_of(database), embedder.space.slug
    make_live(database, embedder.space)
    return Vectorizer(
        chunks or stores.chunks(slug), vectors or stores.vectors(slug), embedder, batch_size, embed_timeout_seconds
    )


def quarantine_failed(database: AnyDatabase, embedder: HashEmbedder, keys: Sequence[PartitionKey] = (KEY,)) -> None:
    """Let the second attempt of the chunks that failed once fail now."""
    slug = embedder.space.slug
    stores_of(database).quarantine.release(slug, keys)
    for key in keys:
        make_vectorizer(database, embedder).vectorize_partition(key)


def make_live(database: AnyDatabase, space: EmbeddingSpace = SPACE) -> None:
    """Register the space: as the serving one if it is the first, else as the filling one."""
    spaces = stores_of(database).spaces
    spaces.register_first(space)
    spaces.add(space)


def rows(database: Database, query: str, *parameters: object) -> list[tuple]:
    """Run a statement and return its rows, if it has any; rows without columns too."""
    with database.transaction() as connection:
        cursor = connection.execute(query, parameters or None)
        result = cursor.pgresult
        assert result is not None
        return cursor.fetchall() if cursor.description else [()] * result.ntuples
