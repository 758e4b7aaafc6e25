"""Work over twelve chunks that is interrupted, and the waits between its attempts."""

import threading
from collections.abc import Callable

from sqlalchemy import URL

from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database
from vector_assets.storage.database_creation import ensure_database
from vector_assets.storage.migrate import migrate
from vector_assets.storage.retries import Retries
from vector_assets.storage.vectors import PostgresVectorStore
from vector_assets.vectorizer import Vectorizer

from ..fakes import SPACE, HashEmbedder, make_live, store_chunks

TEXTS = [f"chunk {number}" for number in range(12)]
VECTORS = f"chunk_vectors_{SPACE.slug}"


class Waits:
    """Stands in for the waits between attempts: short, counted, and something may be done in one of them."""

    def __init__(self, retries: Retries) -> None:
        self.count = 0
        self.begun = threading.Event()
        self.during: dict[int, Callable[[], None]] = {}
        retries.pause = self._pause

    def _pause(self, seconds: float) -> None:
        self.count += 1
        self.begun.set()
        self.during.get(self.count, lambda: None)()
        threading.Event().wait(seconds)


def database_with_chunks(url: URL, retries: Retries) -> Database:
    """Twelve pending chunks in the serving space."""
    ensure_database(url)
    migrate(url)
    database = Database(url, retries, reached=True)
    store_chunks(database, TEXTS)
    make_live(database)
    return database


def vectorizer(database: Database, embedder: HashEmbedder) -> Vectorizer:
    vectors = PostgresVectorStore(database, SPACE.slug)
    return Vectorizer(PostgresChunkStore(database, SPACE.slug), vectors, embedder, batch_size=4)


def before_batch(embedder: HashEmbedder, number: int, act: Callable[[], None]) -> None:
    """Do something once, while a batch is embedded."""
    seen = 0

    def before(_: list[str]) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            act()

    embedder.before = before
