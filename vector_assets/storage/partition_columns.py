"""How a statement compares the three partition columns with a partition key."""

from typing import LiteralString

from ..domain.partition_keys import PartitionKey

IN_PARTITION: LiteralString = "(market, doc_type, stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)"
"""For a statement over one table; the parameters are those of `partition_parameters`."""

CHUNK_IN_PARTITION: LiteralString = "(c.market, c.doc_type, c.stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)"
"""The same for a statement over several tables, in which `c` is document_chunks."""


def partition_parameters(partition: PartitionKey) -> dict[str, object]:
    """Give the three columns' values by their names."""
    return {"market": partition.market, "doc_type": partition.doc_type, "stock_code": partition.stock_code}
