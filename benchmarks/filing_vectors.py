"""Many vectors and terms like those of filings: real chunks of the landing directory, and neighbors made from them.

A company's chunks are those of a real document, moved in a direction of the company, and each a little in one of its
own: that is how the filings of one company, and the same section of another year, lie beside one another. Its terms are
those of the real chunk, except a tenth, and some of the company's own.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
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
from vector_assets.domain.terms import TermCounts, term_counts
from vector_assets.ingestion.landing_directory import LandingDirectory
from vector_assets.ingestion.readers import read_document
from vector_assets.services import Services
from vector_assets.storage.binary_arrays import HalfVectors, uuid_array

Vectors = NDArray[np.float32]

# Lengths of the two moves beside the vector's own length of 1: a neighbor has a cosine of about 0.95 with its chunk.
_COMPANY, _CHUNK = 0.2, 0.25
_AT_ONCE = 20_000

# The real chunks' terms, by number. An index with an entry for each term is built faster at the end.
_TERM_TABLES = """
CREATE TEMP TABLE real_terms (number integer PRIMARY KEY, length integer, term_ids integer[], frequencies smallint[]);
DROP INDEX chunk_terms_ids;
"""
_COPY_TERMS = "COPY real_terms FROM STDIN"
_STORE_TERMS = """
INSERT INTO chunk_terms (chunk_id, market, doc_type, stock_code, content_hash, length, term_ids, frequencies)
SELECT c.id, c.market, c.doc_type, c.stock_code, c.content_hash, r.length,
       r.term_ids[:i.gap] || r.term_ids[i.gap + 1 + cardinality(r.term_ids) / 10:]
           || ARRAY[hashtext(c.stock_code), hashtext(c.market || c.stock_code)],
       r.frequencies[:i.gap] || r.frequencies[i.gap + 1 + cardinality(r.term_ids) / 10:] || '{1,1}'::smallint[]
FROM unnest(%(ids)b::uuid[], %(numbers)s::integer[], %(gaps)s::integer[]) i (id, number, gap)
JOIN document_chunks c USING (id) JOIN real_terms r USING (number)
"""
_TERM_INDEX = "CREATE INDEX chunk_terms_ids ON chunk_terms USING gin (term_ids)"
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


@dataclass(frozen=True)
class RealDocument:
    """The vectors of a document's chunks, and their terms; `first` numbers the chunks of all documents."""

    first: int
    vectors: Vectors
    terms: list[TermCounts]


def real_documents(services: Services, filings: Path, cache: Path) -> dict[str, list[RealDocument]]:
    """Embed the chunks of each document, by market; what was embedded before is read from the cache."""
    embeddings = EmbeddingCache(cache, services.embedder)
    landed = LandingDirectory(filings).scan().documents
    chunked = [
        [chunk.text for chunk in services.configured_chunker.split(read_document(item.path, item.source_uri))]
        for item in landed
    ]
    everything = embeddings.documents([text for texts in chunked for text in texts])
    ends = np.cumsum([len(texts) for texts in chunked])
    documents: dict[str, list[RealDocument]] = {}
    for item, texts, part, end in zip(landed, chunked, np.split(everything, ends[:-1]), ends, strict=True):
        if texts:
            terms = [term_counts(text) for text in texts]
            documents.setdefault(item.partition.market, []).append(RealDocument(int(end) - len(texts), part, terms))
    documents.setdefault("hk", documents["cn"])
    return documents


def neighbors(documents: list[RealDocument], count: int, company: int) -> tuple[Vectors, list[int]]:
    """Make so many vectors of a company, float32 (count, dimension), of length 1, and number their real chunks."""
    chance = np.random.default_rng(company)
    document = documents[chance.integers(len(documents))]
    places = chance.integers(len(document.vectors), size=count)
    chosen = document.vectors[places]
    dimension = chosen.shape[1]
    moved = chosen + _COMPANY * chance.normal(size=dimension) / np.sqrt(dimension)
    moved += _CHUNK * chance.normal(size=moved.shape) / np.sqrt(dimension)
    made: Vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
    return made, [document.first + int(place) for place in places]


def fill_with_vectors(services: Services, documents: dict[str, list[RealDocument]], shape: Shape, tell: Tell) -> None:
    """Fill an empty database with chunks of a few words, and a vector and terms for each."""
    services.spaces.register_first(services.space)
    fill(services.database, services.space, shape, tell)
    store = sql.SQL(_STORE).format(table=sql.Identifier(f"chunk_vectors_{services.space.slug}"))
    done = 0
    for ids, keys in _windows(services):
        made = [
            neighbors(documents[key.split("/")[0]], number, crc32(key.encode()))
            for key, number in Counter(keys).items()
        ]
        with services.database.transaction() as connection:
            vectors = HalfVectors(np.concatenate([vectors for vectors, _ in made]))
            connection.execute(store, {"ids": uuid_array(ids), "vectors": vectors})
        done += len(ids)
        tell(f"vectors {done:,}/{shape.total:,}")
    _vacuum(services)


def fill_with_terms(services: Services, documents: dict[str, list[RealDocument]], shape: Shape, tell: Tell) -> None:
    """Give each chunk terms, and count them. In one transaction: a database has them all or none."""
    known = {document.first: document.terms for market in documents.values() for document in market}
    done = 0
    with services.database.transaction() as connection:
        connection.execute("SET LOCAL maintenance_work_mem = '1GB'")
        connection.execute(_TERM_TABLES)
        with connection.cursor().copy(_COPY_TERMS) as copy:
            for first, terms in known.items():
                for place, counts in enumerate(terms):
                    copy.write_row((first + place, counts.length, counts.term_ids, counts.frequencies))
        for ids, keys in _windows(services):
            numbers = [
                number
                for key, count in Counter(keys).items()
                for number in neighbors(documents[key.split("/")[0]], count, crc32(key.encode()))[1]
            ]
            gaps = np.random.default_rng(done).integers(0, 100, size=len(ids)).tolist()
            connection.execute(_STORE_TERMS, {"ids": uuid_array(ids), "numbers": numbers, "gaps": gaps})
            done += len(ids)
            tell(f"terms {done:,}/{shape.total:,}")
        tell("index of the terms")
        connection.execute(_TERM_INDEX)
    tell("statistics of the terms")
    services.chunk_terms.refresh_statistics(0)
    _vacuum(services)


def _vacuum(services: Services) -> None:
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
