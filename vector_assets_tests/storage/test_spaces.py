"""Embedding spaces: one active, each with a table of its own."""

import dataclasses

import pytest

from vector_assets.errors import WeightsChanged
from vector_assets.storage.database import Database
from vector_assets.storage.partition_status import PartitionStatusQueries

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks
from ..stores import Stores


def test_changed_weights_under_the_same_name_are_refused(stores: Stores) -> None:
    """Their vectors would not compare with those that are stored."""
    spaces = stores.spaces
    spaces.activate(SPACE)

    with pytest.raises(WeightsChanged):
        spaces.activate(dataclasses.replace(SPACE, weights_digest="other"))

    assert spaces.active() == SPACE
    with pytest.raises(WeightsChanged):  # nor is a question answered with them
        spaces.is_registered(dataclasses.replace(SPACE, weights_digest="other"))


def test_changing_the_model_makes_every_chunk_pending_and_changing_back_none(stores: Stores) -> None:
    """The former space keeps its vectors, so that going back costs nothing."""
    store_chunks(stores.database, ["a", "b"])
    other = dataclasses.replace(SPACE, model="other")
    coverage = stores.status
    make_vectorizer(stores.database, HashEmbedder()).vectorize_partition(KEY)

    assert [item.pending for item in coverage.pending_partitions(other.slug)] == [2]
    make_vectorizer(stores.database, HashEmbedder(other))
    assert coverage.partition_status(KEY, other.slug).pending == 2
    make_vectorizer(stores.database, HashEmbedder())

    assert coverage.partition_status(KEY, SPACE.slug).pending == 0


def test_a_chunk_that_moved_meanwhile_is_pending_when_its_space_is_active_again(stores: Stores) -> None:
    """Its vector carries the old partition, where a filtered search would look for it in vain."""
    store_chunks(stores.database, ["a", "b"])
    make_vectorizer(stores.database, HashEmbedder()).vectorize_partition(KEY)
    make_vectorizer(stores.database, HashEmbedder(dataclasses.replace(SPACE, model="other")))
    moved = dataclasses.replace(KEY, stock_code="MOVED")
    stores.move_documents(moved)

    make_vectorizer(stores.database, HashEmbedder())

    assert stores.status.partition_status(moved, SPACE.slug).pending == 2


def test_deleted_vectors_make_their_chunks_pending(stores: Stores) -> None:
    """A chunk is never marked as current without a vector."""
    store_chunks(stores.database, ["a", "b"])
    make_vectorizer(stores.database, HashEmbedder()).vectorize_partition(KEY)

    stores.delete_vectors(SPACE.slug)

    assert stores.status.partition_status(KEY, SPACE.slug).pending == 2


def test_the_newest_generation_of_a_model_is_found(stores: Stores) -> None:
    """Somebody has accepted its drift; another model has generations of its own."""
    other = dataclasses.replace(SPACE, model="other")
    assert stores.spaces.newest(SPACE) == SPACE

    for generation in (0, 2, 1):
        stores.spaces.activate(dataclasses.replace(SPACE, generation=generation))

    assert stores.spaces.newest(SPACE).generation == 2
    assert stores.spaces.newest(other) == other
    assert stores.spaces.is_registered(SPACE)
    assert not stores.spaces.is_registered(other)


def test_truncated_vectors_make_their_chunks_pending(database: Database) -> None:
    """By a trigger of its own."""
    store_chunks(database, ["a", "b"])
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    rows(database, f"TRUNCATE chunk_vectors_{SPACE.slug}")

    assert PartitionStatusQueries(database).partition_status(KEY, SPACE.slug).pending == 2


@pytest.mark.parametrize("field", ["model", "revision", "pooling", "document_prompt", "query_prompt"])
def test_whatever_sets_a_space_apart_is_in_its_slug(field: str) -> None:
    """Another model, prompt or pooling is another table."""
    assert dataclasses.replace(SPACE, **{field: "something else"}).slug != SPACE.slug
    assert len(dataclasses.replace(SPACE, **{field: "某" * 500}).slug) <= 40
