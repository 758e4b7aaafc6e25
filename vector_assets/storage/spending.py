"""What the models of servers have used: tokens under the name of a limit, and per partition and day."""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

from ..domain.partition_keys import PartitionKey
from .database import Database, repeatable
from .partition_columns import partition_parameters

# Add to what was used under a name, if that stays within the limit. One statement: runs do it at the same time.
_CHARGE: LiteralString = """
INSERT INTO spent_tokens AS s (name, tokens)
SELECT %(name)s, %(tokens)s WHERE %(limit)s::bigint IS NULL OR %(tokens)s <= %(limit)s
ON CONFLICT (name) DO UPDATE SET tokens = greatest(s.tokens + excluded.tokens, 0), updated_at = now()
    WHERE %(limit)s::bigint IS NULL OR s.tokens + excluded.tokens <= %(limit)s
RETURNING true
"""
_RECORD: LiteralString = """
INSERT INTO spending AS s (space, market, doc_type, stock_code, day, currency, tokens, cost)
VALUES (%(space)s, %(market)s, %(doc_type)s, %(stock_code)s, (now() AT TIME ZONE 'UTC')::date, %(currency)s,
        %(tokens)s, %(cost)s)
ON CONFLICT (space, market, doc_type, stock_code, day, currency)
    DO UPDATE SET tokens = s.tokens + excluded.tokens, cost = s.cost + excluded.cost
"""
# By market, by document type, by company and by day, the greatest first.
_GROUPED: LiteralString = """
SELECT CASE WHEN grouping(market) = 0 THEN 'market' WHEN grouping(doc_type) = 0 THEN 'doc_type'
            WHEN grouping(stock_code) = 0 THEN 'company' ELSE 'day' END,
       coalesce(market, doc_type, stock_code, day::text), sum(tokens)::bigint, sum(cost), currency
FROM spending
GROUP BY GROUPING SETS ((market, currency), (doc_type, currency), (stock_code, currency), (day, currency))
ORDER BY 1, sum(tokens) DESC, 2
"""


class Spent(NamedTuple):
    """What was used of a group: `kind` is market, doc_type, company or day. The cost is of the tokens with a price."""

    kind: str
    name: str
    tokens: int
    cost: float
    currency: str


class Spending:
    """Adds up what the models of servers have used. It is the `SpentTokens` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def charge(self, name: str, tokens: int, limit: int | None) -> bool:
        """Add tokens to those under a name, unless they exceed the limit then; return whether they were added.

        Not done again after a lost answer: tokens that were charged twice end a run early, no more.
        """
        with self._database.transaction() as connection:
            parameters = {"name": name, "tokens": tokens, "limit": limit}
            return connection.execute(_CHARGE, parameters).fetchone() is not None

    def record(self, space_slug: str, partition: PartitionKey, tokens: int, cost: float, currency: str) -> None:
        """Add what a run has used to the partition's sum of today."""
        parameters = {"space": space_slug, **partition_parameters(partition), "tokens": tokens}
        with self._database.transaction() as connection:
            connection.execute(_RECORD, {**parameters, "cost": cost, "currency": currency})

    @repeatable
    def grouped(self) -> Sequence[Spent]:
        """Read the sums by market, document type, company and day, the greatest of each first."""
        with self._database.transaction() as connection:
            return [Spent(*row) for row in connection.execute(_GROUPED)]
