"""The view and the function for programs that know nothing but SQL."""

from dataclasses import replace

import psycopg
import pytest
from pgvector import HalfVector

from vector_assets.domain.search import ChunkFilter
from vector_assets.domain.terms import term_counts
from vector_assets.search import Search, Searcher, TermFiller
from vector_assets.storage.chunk_terms import ChunkTerms
from vector_assets.storage.database import Database
from vector_assets.storage.spaces import SpaceRegistry
from vector_assets.storage.vectors import PostgresVectorStore

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks, vector_of

OTHER = replace(SPACE, model="other", dimension=16)
HK = replace(KEY, market="hk", doc_type="announcement")
WORDS = (
    "net sales rose",
    "net sales of the segment",
    "dividend policy",
    "net loss",
    "cash",
    "sales tax and net margin",
)


def spaces_seen(database: Database) -> list[tuple[str, int]]:
    """In the view: each space, and how many chunks it has there."""
    return rows(database, "SELECT metadata ->> 'space', count(*) FROM filings_search GROUP BY 1")


def test_the_view_is_what_serves(database: Database) -> None:
    """From the moment of a promotion or a rollback, with all who may read it; before the first run it is empty."""
    rows(database, "CREATE VIEW of_another_program AS SELECT chunk_id FROM filings_search")
    assert rows(database, "SELECT * FROM filings_search") == []
    store_chunks(database, ["a", "b"])
    for space in (SPACE, OTHER):
        make_vectorizer(database, HashEmbedder(space)).vectorize_partition(KEY)
    before = spaces_seen(database)
    spaces = SpaceRegistry(database)

    spaces.promote(OTHER.slug)

    assert (before, spaces_seen(database)) == ([(SPACE.slug, 2)], [(OTHER.slug, 2)])
    with database.transaction() as connection:
        for status, slug in (("retired", SPACE.slug), ("filling", OTHER.slug), ("serving", SPACE.slug)):
            connection.execute("UPDATE embedding_spaces SET status = %s WHERE slug = %s", [status, slug])
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        connection.rollback()
    assert spaces_seen(database) == [(OTHER.slug, 2)]
    spaces.promote(SPACE.slug)
    spaces.drop(OTHER.slug)
    assert spaces_seen(database) == [(SPACE.slug, 2)]
    assert rows(database, "SELECT count(*) FROM of_another_program") == [(2,)]


def test_a_row_has_what_a_program_needs(database: Database) -> None:
    """An edited chunk has no row until it has its new vector."""
    store_chunks(database, ["a", "b"])
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)
    rows(database, "UPDATE document_chunks SET text = 'edited' WHERE text = 'b'")

    found = rows(
        database,
        "SELECT text, embedding, partition, company_name, period, page_from, metadata->>'title' FROM filings_search",
    )

    assert [(row[0], *row[2:]) for row in found] == [("a", str(KEY), "X", "2024", None, "title")]
    assert found[0][1].to_list() == pytest.approx(vector_of("a"), abs=1e-3)


@pytest.mark.parametrize("question", ["net sales", "dividends", "nothing like it", "cash cash"])
def test_the_function_ranks_as_search_does(database: Database, question: str) -> None:
    """By a question's vector and the numbers of its terms, with and without a filter."""
    for key in (KEY, HK):
        store_chunks(database, [*WORDS, *(f"chunk {number} of {key}" for number in range(120))], key)
        make_vectorizer(database, HashEmbedder()).vectorize_partition(key)
        TermFiller(ChunkTerms(database)).fill(key)
    search = Search(
        SpaceRegistry(database),
        lambda space: Searcher(HashEmbedder(space), PostgresVectorStore(database, space.slug)),
        ChunkTerms(database),
    )
    call = "SELECT chunk_id, dense_rank, lexical_rank, round(score::numeric, 4) FROM search_filings(%s, %s, 20{})"
    given = (HalfVector(vector_of(question)), term_counts(question).term_ids)

    for filtered, where in (("", ChunkFilter()), (", ARRAY['hk']", ChunkFilter(markets=("hk",)))):
        expected = search.find(question, where, limit=20)
        found = rows(database, call.format(filtered), *given)
        assert [row[:3] for row in found] == [(hit.chunk_id, hit.dense_rank, hit.lexical_rank) for hit in expected]
        assert [float(row[3]) for row in found] == pytest.approx([hit.score for hit in expected], abs=1e-4)


def test_a_reader_needs_no_more_than_to_read(database: Database) -> None:
    """A role that may use the schema, read the view and call the function searches, and can write nothing."""
    store_chunks(database, ["a"])
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)
    rows(database, "CREATE ROLE filings_reader")
    try:
        rows(database, "GRANT USAGE ON SCHEMA vector_assets TO filings_reader")
        rows(database, "GRANT SELECT ON filings_search TO filings_reader")
        rows(database, "GRANT EXECUTE ON FUNCTION search_filings TO filings_reader")
        with database.transaction() as connection:
            connection.execute("SET LOCAL ROLE filings_reader")
            found = connection.execute("SELECT text FROM search_filings(%s)", [HalfVector(vector_of("a"))]).fetchall()
            assert found == connection.execute("SELECT text FROM filings_search").fetchall() == [("a",)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT text FROM documents")
            connection.rollback()
    finally:
        rows(database, "DROP OWNED BY filings_reader")
        rows(database, "DROP ROLE filings_reader")
