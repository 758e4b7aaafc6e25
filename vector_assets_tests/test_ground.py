"""The loop and the tables, on a real PostgreSQL."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from vector_assets.domain import Document, EmbeddingSpace, PartitionKey, TokenizedText, Vectors
from vector_assets.errors import EmbedderBroken, InvalidPartitionKey
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database
from vector_assets.storage.documents import PostgresDocumentStore
from vector_assets.storage.embedded import start_embedded_server
from vector_assets.storage.migrate import ensure_database, migrate
from vector_assets.storage.spaces import SpaceRegistry
from vector_assets.storage.vectors import PostgresVectorStore
from vector_assets.vectorizer import Vectorizer

SPACE = EmbeddingSpace("hash", "1", "mean", "", "", 8, 64, "digest")
KEY = PartitionKey("us", "annual_report", "XTEST")


class HashEmbedder:
    """Vectors drawn from the text itself; texts that hold a poison raise."""

    def __init__(self, poison: str = "POISON") -> None:
        self.poison = poison

    space = SPACE

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        return [TokenizedText(text, len(text), len(text), 0) for text in texts]

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        if any(self.poison in item.text for item in texts):
            raise ValueError("poison")
        rows = [np.random.default_rng(abs(hash(item.text))).normal(size=8) for item in texts]
        return np.array(rows, dtype=np.float32)

    def embed_query(self, text: str) -> Vectors:
        return self.embed(self.tokenize([text]))[0]


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as home:
        url = start_embedded_server(Path(home))
        ensure_database(url)
        migrate(url)
        database = Database(url)
        SpaceRegistry(database).activate(SPACE)
        yield database
        database.close()


@pytest.fixture
def parts(database: Database) -> tuple[Database, PostgresDocumentStore, Vectorizer]:
    with database.transaction() as connection:
        connection.execute("TRUNCATE documents CASCADE")
    chunks, vectors = PostgresChunkStore(database, SPACE.slug), PostgresVectorStore(database, SPACE.slug)
    return database, PostgresDocumentStore(database), Vectorizer(chunks, vectors, HashEmbedder(), 4)


def _store(documents: PostgresDocumentStore, texts: list[str]) -> None:
    documents.save([Document("us/annual_report/XTEST/a.txt", KEY, "X", "t", "p", "en", "\n".join(texts), "1")], [])
    for document in documents.uncut_documents(KEY, "lines"):
        documents.replace_chunks(document, texts, "lines")


def test_a_bad_chunk_fails_alone_and_the_second_run_embeds_nothing(parts) -> None:
    """The rest of its batch commits; it is quarantined, not pending."""
    _, documents, vectorizer = parts
    _store(documents, [f"text {i}" for i in range(10)] + ["POISON"])

    told = []
    report = vectorizer.vectorize_partition(KEY, progress_callback=told.append)

    assert (report.vectorized_count, report.failed_count) == (10, 1)
    assert [p.batch_num for p in told] == [1, 2, 3]
    assert told[-1].processed == told[-1].total == 11
    assert vectorizer.vectorize_partition(KEY).processed == 0


def test_recutting_keeps_unchanged_ids_and_embeds_only_new_text(parts) -> None:
    """Ids of unchanged chunks stay although their index moves."""
    database, documents, vectorizer = parts
    _store(documents, ["a", "b", "c"])
    vectorizer.vectorize_partition(KEY)
    query = "SELECT text, id FROM document_chunks"
    with database.transaction() as connection:
        before = dict(connection.execute(query).fetchall())

    _store(documents, ["new", "a", "c"])

    with database.transaction() as connection:
        after = dict(connection.execute(query).fetchall())
    assert (after["a"], after["c"]) == (before["a"], before["c"])
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1


def test_a_text_edited_while_it_is_embedded_is_superseded(parts) -> None:
    """The vector of the old text is not stored and the chunk stays pending."""
    database, documents, vectorizer = parts
    _store(documents, ["old"])
    embedder = vectorizer._embedder
    embed = embedder.embed

    def edit_then_embed(texts):
        with database.transaction() as connection:
            connection.execute("UPDATE document_chunks SET text = 'edited'")
        return embed(texts)

    embedder.embed = edit_then_embed
    report = vectorizer.vectorize_partition(KEY)
    embedder.embed = embed

    assert (report.vectorized_count, report.superseded_count) == (0, 1)
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1


def test_a_broken_embedder_quarantines_nothing(parts) -> None:
    """When even a plain text fails, the chunks are not at fault."""
    _, documents, vectorizer = parts
    _store(documents, ["a", "b"])
    vectorizer._embedder.poison = ""

    with pytest.raises(EmbedderBroken):
        vectorizer.vectorize_partition(KEY)

    vectorizer._embedder.poison = "POISON"
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 2


@pytest.mark.parametrize("text", ["us/annual_report", "us//AAPL", "US/annual_report/AAPL", "us/a/b...c", "us/a/b,c"])
def test_an_invalid_key_is_refused(text: str) -> None:
    """One line, with the form."""
    with pytest.raises(InvalidPartitionKey, match="market/doc_type/stock_code"):
        PartitionKey.parse(text)
