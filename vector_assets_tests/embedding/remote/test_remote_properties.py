"""Whatever a server answers, and in whatever order, each chunk has the vector of its text or none."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vector_assets.domain.chunks import ChunkSelection
from vector_assets.errors import VectorAssetsError

from ...fakes import KEY, make_vectorizer, store_chunks
from ...invariants import check_invariants
from ...memory.database import MemoryDatabase
from ...stores import stores_of
from .provider_server import Exchange, Provider, Respond, changing, serving, wide
from .test_remote_embedder import embedder_of, one_missing, reordered, same_index

GOOD = [f"text {number}" for number in range(9)]

ANSWERS: dict[str, Respond] = {
    "right": Exchange.succeed,
    "reordered": changing(reordered),
    "busy": lambda exchange: exchange.send_error_document(429, Retry_After="0"),
    "away": lambda exchange: exchange.send_error_document(503, Retry_After="0"),
    "refused": lambda exchange: exchange.send_error_document(400),
    "one missing": changing(one_missing),
    "same index": changing(same_index),
    "another dimension": changing(wide),
    "no key": lambda exchange: exchange.send_error_document(401),
    "html": lambda exchange: exchange.send(b"<html>"),
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """One server for all examples."""
    with serving() as provider:
        yield provider


def drawn(answers: list[str]) -> Respond:
    """Give these answers to the next requests, then right ones; a text that is bad is refused in each of them."""
    left = iter(answers)

    def respond(exchange: Exchange) -> None:
        if any("POISON" in text for text in exchange.body["input"]):
            exchange.send_error_document(400)
        else:
            ANSWERS[next(left, "right")](exchange)

    return respond


@settings(max_examples=20)
@given(st.lists(st.sampled_from(list(ANSWERS)), max_size=12), st.integers(1, 5))
def test_each_chunk_has_the_vector_of_its_text_or_none(provider: Provider, answers: list[str], batch_size: int) -> None:
    """A run may fail; the next one, of a server in order, does the rest, and only what was refused is left out."""
    database = MemoryDatabase()
    store_chunks(database, [*GOOD, "POISON"])
    embedder = embedder_of(provider.url)
    vectorizer = make_vectorizer(database, embedder, batch_size)  # type: ignore[arg-type]

    provider.respond = drawn(answers)
    with suppress(VectorAssetsError):
        vectorizer.vectorize_partition(KEY)
    provider.respond = Exchange.succeed
    check_invariants(database, embedder)

    provider.respond = drawn([])
    stores_of(database).chunks(embedder.space.slug).queue_again(ChunkSelection(partition=KEY), "again", None)
    report = vectorizer.vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (len(GOOD), 1)
    provider.respond = Exchange.succeed
    check_invariants(database, embedder)
