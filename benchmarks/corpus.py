"""Texts to embed: chunks as the product makes them, or slices of very different lengths."""

import random
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path, PurePosixPath
from uuid import NAMESPACE_URL, uuid5

from vector_assets.domain.chunks import DocumentChunk
from vector_assets.domain.documents import Document, StoredDocument
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.ingestion.context import context_of
from vector_assets.ingestion.landing_directory import LandedDocument, LandingDirectory
from vector_assets.ingestion.readers import read_document
from vector_assets.services import Services


def uniform_texts(services: Services, filings: Path, count: int) -> list[str]:
    """Chunks of the filings in a random order, repeated where they are too few."""
    return _taken(list(chunk_texts(services, filings)), count)


def chunk_texts(services: Services, filings: Path) -> Iterator[str]:
    """Yield the texts of the chunks that an ingestion of the filings makes, by document, in order."""
    for landed in LandingDirectory(filings).scan().documents:
        document = landed_document(landed)
        paged = document.source_uri.lower().endswith(".pdf")
        yield from (chunk.text for chunk in services.chunker.split(document.text, context_of(document), paged))


def landed_document(landed: LandedDocument) -> StoredDocument:
    """Read a file of a landing directory, as an ingestion stores it."""
    row = landed.row
    return StoredDocument(
        id=uuid5(NAMESPACE_URL, landed.source_uri),
        source_uri=landed.source_uri,
        partition=landed.partition,
        company_name=row.company_name if row else "",
        title=(row.title if row else "") or PurePosixPath(landed.source_uri).stem,
        period=row.period if row else "",
        text=read_document(landed.path, landed.source_uri),
    )


def mixed_texts(filings: Path, count: int) -> list[str]:
    """Slices of 5 to 250 words of the filings in a random order."""
    pick = random.Random(1)
    slices: list[str] = []
    for landed in LandingDirectory(filings).scan().documents:
        words = read_document(landed.path, landed.source_uri).split()
        at = 0
        while at < len(words):
            length = pick.randint(5, 250)
            slices.append(" ".join(words[at : at + length])[:1500])  # Chinese text has no words to count
            at += length
    return _taken(slices, count)


def _taken(texts: list[str], count: int) -> list[str]:
    random.Random(0).shuffle(texts)
    return (texts * (count // len(texts) + 1))[:count]


def store(services: Services, key: PartitionKey, texts: list[str], chunker: str = "benchmark") -> None:
    """Put the texts into the tables as the chunks of one document, as if that chunker had made them."""
    document = Document(f"{key}/benchmark.txt", key, "", "benchmark", "", "en", "\n".join(texts), "1")
    services.documents.save([document], [])
    ends = list(accumulate(len(text) + 1 for text in texts))
    chunks = [DocumentChunk(text, end - 1 - len(text), end - 1) for text, end in zip(texts, ends, strict=True)]
    for stored in services.documents.unchunked_documents(key, chunker):
        services.documents.replace_chunks(stored, chunks, chunker)
