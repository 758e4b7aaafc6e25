"""Alembic's entry: `storage.migrate` gives it a way to connect and the schema; each revision is one transaction."""

from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

given = context.config.attributes
engine = create_engine("postgresql+psycopg://", creator=given["connect"], poolclass=NullPool)
with engine.connect() as connection:
    # With its schema: another program, Dagster for one, may have a table of the same name in the database.
    context.configure(connection=connection, transaction_per_migration=True, version_table_schema=given["schema"])
    with context.begin_transaction():
        context.run_migrations()
