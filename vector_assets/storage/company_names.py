"""The names of companies, as their documents give them."""

from typing import LiteralString

from ..domain.partition_keys import PartitionKey
from .database import Database, repeatable
from .partition_columns import IN_PARTITION, partition_parameters

# The name on the newest document that has one: companies are renamed.
_ONE: LiteralString = f"""
SELECT company_name FROM documents WHERE {IN_PARTITION} AND company_name <> '' ORDER BY updated_at DESC, id LIMIT 1
"""
_ALL: LiteralString = """
SELECT DISTINCT ON (market, doc_type, stock_code) market, doc_type, stock_code, company_name
FROM documents WHERE company_name <> '' ORDER BY market, doc_type, stock_code, updated_at DESC, id
"""


class CompanyNames:
    """Reads the names; a company whose documents have none has no name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def of(self, partition: PartitionKey) -> str:
        """Give the name of the partition's company; empty where no document has one."""
        with self._database.transaction() as connection:
            row = connection.execute(_ONE, partition_parameters(partition)).fetchone()
        return str(row[0]) if row else ""

    @repeatable
    def all(self) -> dict[PartitionKey, str]:
        """Give the name of each partition's company, where it is known."""
        with self._database.transaction() as connection:
            rows = connection.execute(_ALL).fetchall()
        return {PartitionKey(market, doc_type, code): name for market, doc_type, code, name in rows}
