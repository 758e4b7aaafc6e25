"""How a statement is limited to the chunks that a filter names.

What does not limit the search is left out of the statement, so that PostgreSQL can choose an index for the rest.
"""

from typing import LiteralString

from ..domain.search import ChunkFilter

_MARKETS: LiteralString = "{table}.market = ANY(%(markets)s::text[])"
_DOC_TYPES: LiteralString = "{table}.doc_type = ANY(%(doc_types)s::text[])"
_STOCK_CODES: LiteralString = "{table}.stock_code = ANY(%(stock_codes)s::text[])"
_PARTITIONS: LiteralString = """
({table}.market, {table}.doc_type, {table}.stock_code)
 IN (SELECT * FROM unnest(%(key_markets)s::text[], %(key_doc_types)s::text[], %(key_stock_codes)s::text[]))
"""
_PERIODS: LiteralString = "d.period = ANY(%(periods)s::text[])"
_LANGUAGES: LiteralString = "d.language = ANY(%(languages)s::text[])"


def in_partitions(where: ChunkFilter, table: LiteralString) -> LiteralString:
    """Write the condition on the partition columns of a table, which is named as in the statement."""
    conditions = [
        (where.markets, _MARKETS),
        (where.doc_types, _DOC_TYPES),
        (where.stock_codes, _STOCK_CODES),
        (where.partitions, _PARTITIONS),
    ]
    return " AND ".join([condition.format(table=table) for names, condition in conditions if names]) or "true"


def of_documents(where: ChunkFilter) -> LiteralString:
    """Write the condition on `documents`, which the statement calls `d`; `true` where it need not be read."""
    conditions = [(where.periods, _PERIODS), (where.languages, _LANGUAGES)]
    return " AND ".join([condition for names, condition in conditions if names]) or "true"


def filter_parameters(where: ChunkFilter) -> dict[str, object]:
    """Give the parameters of both conditions; partitions as three arrays of one length."""
    return {
        "markets": list(where.markets),
        "doc_types": list(where.doc_types),
        "stock_codes": list(where.stock_codes),
        "key_markets": [key.market for key in where.partitions],
        "key_doc_types": [key.doc_type for key in where.partitions],
        "key_stock_codes": [key.stock_code for key in where.partitions],
        "periods": list(where.periods),
        "languages": list(where.languages),
    }
