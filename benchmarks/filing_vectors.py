"""Many vectors like those of filings: real chunks of the landing directory, and neighbors made from them.

A company's chunks are those of a real document, moved in a direction of the company, and each a little in one of its
own: that is how the filings of one company, and the same section of another year, lie beside one another.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString
from uuid import UUID
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from benchmarks.embedding_cache import EmbeddingCache
from benchmarks.synthetic import Shape, Tell, fill
from vector_assets.domain.chunks import BEFORE_ALL_CHUNKS
from vector_assets.ingestion.landing_directory import LandingDirectory
from vector_assets.ingestion.readers import read_document
from vector_assets.services import Services
from vector_assets.storage.binary_arrays import HalfVectors, uuid_array

Vectors = NDArray[np.float32]

# Lengths of the two moves beside the vector's own length of 1: a neighbor has a cosine of about 0.95 with its chunk.
_COMPANY, _CHUNK = 0.2, 0.25
_AT_ONCE = 20_000

_CHUNKS = """
SELECT id, market || '/' || doc_type || '/' || stock_code FROM document_chunks
WHERE id > %(after)s ORDER BY id LIMIT %(limit)s
"""
_STORE: LiteralString = """
INSERT INTO {table} (chunk_id, market, doc_type, stock_code, content_hash, embedding, token_count, tokens_embedded,
                     run_id)
SELECT c.id, c.market, c.doc_type, c.stock_code, c.content_hash, i.embedding, 200, 200, 'synthetic'
FROM unnest(%(ids)b::uuid[], %(vectors)b::halfvec[]) i (id, embedding) JOIN document_chunks c USING (id)
"""


def real_vectors(services: Services, filings: Path, cache: Path) -> dict[str, list[Vectors]]:
    """Embed the chunks of each document, by market; what was embedded before is read from the cache."""
    embeddings = EmbeddingCache(cache, services.embedder)
    landed = LandingDirectory(filings).scan().documents
    chunked = [
        [chunk.text for chunk in services.configured_chunker.split(read_document(item.path, item.source_uri))]
        for item in landed
    ]
    everything = embeddings.documents([text for texts in chunked for text in texts])
    ends = np.cumsum([len(texts) for texts in chunked])
    documents: dict[str, list[Vectors]] = {}
    for item, part in zip(landed, np.split(everything, ends[:-1]), strict=True):
        if len(part):
            documents.setdefault(item.partition.market, []).append(part)
    return documents


def neighbors(documents: list[Vectors], count: int, company: int) -> Vectors:
    """Make so many vectors of a company: float32 (count, dimension), of length 1."""
    chance = np.random.default_rng(company)
    document = documents[chance.integers(len(documents))]
    chosen = document[chance.integers(len(document), size=count)]
    dimension = chosen.shape[1]
    moved = chosen + _COMPANY * chance.normal(size=dimension) / np.sqrt(dimension)
    moved += _CHUNK * chance.normal(size=moved.shape) / np.sqrt(dimension)
    made: Vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
    return made


def fill_with_vectors(services: Services, documents: dict[str, list[Vectors]], shape: Shape, tell: Tell) -> None:
    """Fill an empty database with chunks of a few words and a vector for each."""
    services.spaces.register_first(services.space)
    fill(services.database, services.space, shape, tell)
    store = sql.SQL(_STORE).format(table=sql.Identifier(f"chunk_vectors_{services.space.slug}"))
    done = 0
    for ids, keys in _windows(services):
        vectors = np.concatenate(
            [
                neighbors(documents[key.split("/")[0]], number, crc32(key.encode()))
                for key, number in Counter(keys).items()
            ]
        )
        with services.database.transaction() as connection:
            connection.execute(store, {"ids": uuid_array(ids), "vectors": HalfVectors(vectors)})
        done += len(ids)
        tell(f"vectors {done:,}/{shape.total:,}")
    with services.database.transaction() as connection:
        connection.commit()
        connection.autocommit = True  # VACUUM allows no transaction around it
        connection.execute("VACUUM (ANALYZE)")
        connection.autocommit = False


def _windows(services: Services) -> Iterator[tuple[list[UUID], list[str]]]:
    """Read the chunks by id; those of a partition follow one another."""
    after = BEFORE_ALL_CHUNKS
    while True:
        with services.database.transaction() as connection:
            rows = connection.execute(_CHUNKS, {"after": after, "limit": _AT_ONCE}).fetchall()
        if not rows:
            return
        yield [row[0] for row in rows], [row[1] for row in rows]
        after = rows[-1][0]
