"""Sessions of other programs decide nothing: a chunk gets its own partition, hash and row in the queue."""

from collections.abc import Iterator
from hashlib import sha256

import psycopg
import pytest

from vector_assets.errors import DatabaseFailed
from vector_assets.storage.database import Database

from ..fakes import KEY, make_live, rows, store_chunks
from .servers import connect

INSERT = """
INSERT INTO vector_assets.document_chunks (document_id, chunk_index, text)
SELECT id, 7, 'added' FROM vector_assets.documents RETURNING market, doc_type, stock_code
"""
QUEUED = "SELECT c.text FROM pending_chunks p JOIN document_chunks c ON c.id = p.chunk_id ORDER BY c.chunk_index"
OF_NOBODY = "DROP ROLE IF EXISTS writer"


@pytest.fixture
def filled(database: Database) -> Database:
    """Two chunks in a serving space; nothing is pending."""
    store_chunks(database, ["one", "two"])
    make_live(database)
    with connect(database.url) as admin:
        admin.execute("DELETE FROM pending_chunks")
    return database


@pytest.fixture
def writer(filled: Database) -> Iterator[psycopg.Connection]:
    """Another program, which is no owner of anything and has a search path of its own."""
    with connect(filled.url) as admin:
        admin.execute(OF_NOBODY)
        admin.execute("CREATE ROLE writer LOGIN")
        admin.execute("GRANT USAGE ON SCHEMA vector_assets TO writer")
        admin.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON documents, document_chunks TO writer")
        admin.execute("CREATE SCHEMA crm AUTHORIZATION writer")
    with connect(filled.url.set(username="writer")) as writer:
        writer.execute("SET search_path = pg_catalog")
        yield writer
    with connect(filled.url) as admin:
        admin.execute("DROP OWNED BY writer CASCADE")
        admin.execute(OF_NOBODY)


def test_a_search_path_without_the_schema_hinders_no_writer(filled: Database, writer: psycopg.Connection) -> None:
    """Insert, edit, move and delete, with the rights on two tables and no others."""
    assert writer.execute(INSERT).fetchall() == [(KEY.market, KEY.doc_type, KEY.stock_code)]
    writer.execute("UPDATE vector_assets.document_chunks SET text = 'edited' WHERE text = 'one'")
    assert rows(filled, QUEUED) == [("edited",), ("added",)]
    writer.execute("UPDATE vector_assets.documents SET stock_code = 'XB'")
    assert rows(filled, "SELECT DISTINCT stock_code FROM pending_chunks") == [("XB",)]
    writer.execute("DELETE FROM vector_assets.documents")
    assert rows(filled, QUEUED) == []


@pytest.mark.parametrize("kind", ["TABLE crm.", "TEMPORARY TABLE "])
def test_tables_and_functions_of_the_same_names_are_not_taken(
    kind: str, filled: Database, writer: psycopg.Connection
) -> None:
    """Neither those of a schema that comes first in the writer's search path, nor temporary ones."""
    writer.execute("SET search_path = crm, vector_assets, pg_catalog")
    writer.execute(
        f"CREATE {kind}documents AS SELECT id, 'hk' market, 'memo' doc_type, 'SECRET' stock_code "
        "FROM vector_assets.documents"
    )
    writer.execute(f"CREATE {kind}pending_chunks (LIKE vector_assets.document_chunks)")
    writer.execute("CREATE FUNCTION crm.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT '\\x00'::bytea $$")

    assert writer.execute(INSERT).fetchall() == [(KEY.market, KEY.doc_type, KEY.stock_code)]

    hashes = rows(filled, "SELECT content_hash FROM document_chunks WHERE text = 'added'")
    assert hashes == [(sha256(b"added").digest(),)]
    assert rows(filled, QUEUED) == [("added",)]


def test_what_is_replayed_from_another_server_is_queued(filled: Database) -> None:
    """`session_replication_role = replica`, as replication tools set it."""
    with connect(filled.url) as replay:
        replay.execute("SET session_replication_role = replica")
        replay.execute("UPDATE document_chunks SET text = 'replayed' WHERE text = 'one'")
        replay.execute(INSERT)

    assert rows(filled, QUEUED) == [("replayed",), ("added",)]
    assert rows(filled, "SELECT FROM document_chunks WHERE content_hash <> sha256(convert_to(text, 'UTF8'))") == []


def test_nobody_attaches_the_functions_to_a_table(writer: psycopg.Connection) -> None:
    """They run with the rights of the tables' owner."""
    writer.execute("CREATE TABLE crm.mine ()")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        writer.execute("CREATE TRIGGER t AFTER TRUNCATE ON crm.mine EXECUTE FUNCTION vector_assets.chunks_truncated()")


def test_settings_of_the_role_do_not_reach_the_products_sessions(filled: Database) -> None:
    """Each would change what is read: other tables, unreadable moments, rounded numbers."""
    settings = {
        "search_path": "crm",
        "datestyle": "German",
        "intervalstyle": "sql_standard",
        "timezone": "Asia/Shanghai",
        "extra_float_digits": "-15",
        "bytea_output": "escape",
        "client_encoding": "LATIN1",
        "session_replication_role": "replica",
        "array_nulls": "off",
    }
    with connect(filled.url) as admin:
        for name, value in settings.items():
            admin.execute(f"ALTER DATABASE {filled.url.database} SET {name} = '{value}'")
    filled.close()

    store_chunks(filled, ["年报 é"], name="other.txt")

    values = "text, updated_at > now() - interval '1 day', 0.1::float8 + 0.2::float8"
    query = f"SELECT {values} FROM document_chunks WHERE text ~ 'é'"
    assert rows(filled, query) == [("年报 é", True, 0.1 + 0.2)]


def test_rows_that_a_policy_hides_are_an_error(filled: Database) -> None:
    """An answer without them would pass for a whole one."""
    with connect(filled.url) as admin:
        admin.execute(OF_NOBODY)
        admin.execute("CREATE ROLE writer LOGIN")
        admin.execute("GRANT USAGE ON SCHEMA vector_assets TO writer")
        admin.execute("GRANT SELECT ON document_chunks TO writer")
        admin.execute("ALTER TABLE document_chunks ENABLE ROW LEVEL SECURITY")
    reader = Database(filled.url.set(username="writer"))

    with pytest.raises(DatabaseFailed, match="row-level security"):
        rows(reader, "SELECT count(*) FROM document_chunks")

    reader.close()
    with connect(filled.url) as admin:
        admin.execute("DROP OWNED BY writer CASCADE")
        admin.execute(OF_NOBODY)


def test_behind_a_pooler_each_transaction_sets_what_it_relies_on(filled: Database) -> None:
    """There the process is another one than was asked for, and may be another one in the next transaction."""
    with filled.transaction() as connection:
        connection.backend = None
        connection.execute("SET search_path = crm")

    assert rows(filled, "SELECT count(*) FROM document_chunks") == [(2,)]
