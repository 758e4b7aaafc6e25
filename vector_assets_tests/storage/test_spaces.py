"""Embedding spaces: one active, each with a table of its own."""

import dataclasses

import pytest

from vector_assets.errors import WeightsChanged
from vector_assets.storage.database import Database
from vector_assets.storage.partition_status import PartitionStatusQueries
from vector_assets.storage.spaces import SpaceRegistry

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks


def test_changed_weights_under_the_same_name_are_refused(database: Database) -> None:
    """Their vectors would not compare with those that are stored."""
    spaces = SpaceRegistry(database)
    spaces.activate(SPACE)

    with pytest.raises(WeightsChanged):
        spaces.activate(dataclasses.replace(SPACE, weights_digest="other"))

    assert spaces.active() == SPACE
    with pytest.raises(WeightsChanged):  # nor is a question answered with them
        spaces.is_registered(dataclasses.replace(SPACE, weights_digest="other"))


def test_changing_the_model_makes_every_chunk_pending_and_changing_back_none(database: Database) -> None:
    """The former space keeps its vectors, so that going back costs nothing."""
    store_chunks(database, ["a", "b"])
    other = dataclasses.replace(SPACE, model="other")
    coverage = PartitionStatusQueries(database)
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    assert [item.pending for item in coverage.pending_partitions(other.slug)] == [2]
    make_vectorizer(database, HashEmbedder(other))
    assert coverage.partition_status(KEY, other.slug).pending == 2
    make_vectorizer(database, HashEmbedder())

    assert coverage.partition_status(KEY, SPACE.slug).pending == 0


def test_a_chunk_that_moved_meanwhile_is_pending_when_its_space_is_active_again(database: Database) -> None:
    """Its vector carries the old partition, where a filtered search would look for it in vain."""
    store_chunks(database, ["a", "b"])
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)
    make_vectorizer(database, HashEmbedder(dataclasses.replace(SPACE, model="other")))
    rows(database, "UPDATE documents SET stock_code = 'MOVED'")

    make_vectorizer(database, HashEmbedder())

    moved = dataclasses.replace(KEY, stock_code="MOVED")
    assert PartitionStatusQueries(database).partition_status(moved, SPACE.slug).pending == 2


@pytest.mark.parametrize("change", ["DELETE FROM {}", "TRUNCATE {}"])
def test_vectors_that_go_away_make_their_chunks_pending(database: Database, change: str) -> None:
    """Nobody is told that a vector is there when it is not."""
    store_chunks(database, ["a", "b"])
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    rows(database, change.format(f"chunk_vectors_{SPACE.slug}"))

    assert PartitionStatusQueries(database).partition_status(KEY, SPACE.slug).pending == 2


@pytest.mark.parametrize("field", ["model", "revision", "pooling", "document_prompt", "query_prompt"])
def test_whatever_sets_a_space_apart_is_in_its_slug(field: str) -> None:
    """Another model, prompt or pooling is another table."""
    assert dataclasses.replace(SPACE, **{field: "something else"}).slug != SPACE.slug
    assert len(dataclasses.replace(SPACE, **{field: "某" * 500}).slug) <= 40
