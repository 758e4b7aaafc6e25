"""The tables, triggers, view and functions of the first release."""

from alembic import op
from sqlalchemy import text

from vector_assets.storage.migrations.first_schema import (
    chunk_terms,
    documents_and_chunks,
    filings_search,
    leases,
    server_limits,
    spaces_and_queue,
    vector_indexes,
)
from vector_assets.storage.migrations.triggers import ONLY_OUR_NAMES, TRIGGERS

revision = "0001"
down_revision = None

# Where pgvector is, quoted: it is named, because others may create functions in its schema.
PGVECTOR_SCHEMA = """
SELECT quote_ident(n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'
"""


def upgrade() -> None:
    op.execute(ONLY_OUR_NAMES)
    vector = op.get_bind().execute(text(PGVECTOR_SCHEMA)).scalar_one()
    for statements in (
        *documents_and_chunks.STATEMENTS,
        *spaces_and_queue.STATEMENTS,
        *chunk_terms.STATEMENTS,
        *server_limits.STATEMENTS,
        *filings_search.statements(vector),
        *vector_indexes.STATEMENTS,
        *leases.STATEMENTS,
        TRIGGERS,
    ):
        # A colon in the text is no parameter of a statement.
        op.execute(text(statements.replace(":", r"\:")))


def downgrade() -> None:
    raise NotImplementedError("the first revision has nothing below it: drop the schema instead")
