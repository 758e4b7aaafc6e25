"""The limits of requests and tokens per minute of a provider: one row that all processes share.

The row holds until when what was reserved uses the limits up. So requests are spread evenly, and no minute has more of
them than the limit, whoever sends them.
"""

from datetime import timedelta
from typing import LiteralString

from .database import Database, repeatable

# Requests arrive a little earlier or later after one another than they were sent.
_SHARE_USED = 0.99

_REGISTER: LiteralString = "INSERT INTO rate_limits (provider) VALUES (%(provider)s) ON CONFLICT DO NOTHING"
# Move the moment on by what a request takes, if its turn comes soon enough, and say when it is.
_RESERVE: LiteralString = """
WITH turn AS (
    SELECT provider, greatest(used_until, clock_timestamp()) AS moment
    FROM rate_limits WHERE provider = %(provider)s FOR UPDATE
), reserved AS (
    UPDATE rate_limits r SET used_until = turn.moment + %(takes)s
    FROM turn WHERE r.provider = turn.provider AND turn.moment <= clock_timestamp() + %(longest_wait)s
)
SELECT greatest(extract(epoch FROM moment - clock_timestamp()), 0)::double precision FROM turn
"""
_CORRECT: LiteralString = "UPDATE rate_limits SET used_until = used_until + %(takes)s WHERE provider = %(provider)s"
_PAUSE: LiteralString = """
UPDATE rate_limits SET used_until = greatest(used_until, clock_timestamp() + %(takes)s) WHERE provider = %(provider)s
"""


class PostgresRateLimits:
    """The `RateLimits` port over one row. A request takes the longer of the times by the two limits."""

    def __init__(
        self, database: Database, provider: str, requests_per_minute: int | None, tokens_per_minute: int | None
    ) -> None:
        self._database = database
        self._provider = provider
        self._requests_per_minute = requests_per_minute
        self._tokens_per_minute = tokens_per_minute
        self._registered = False

    def reserve(self, tokens: int, longest_wait: float) -> float:
        """Reserve a request, and say in how many seconds its turn is; not beyond the longest wait."""
        if not self._registered:
            self._execute(_REGISTER, 0.0)
            self._registered = True
        takes = max(_seconds(1, self._requests_per_minute), _seconds(tokens, self._tokens_per_minute))
        return self._reserve(takes, longest_wait)

    def correct(self, tokens: int) -> None:
        """Count tokens that were not reserved, or were and are not used."""
        if self._tokens_per_minute:
            self._execute(_CORRECT, 60 * tokens / (_SHARE_USED * self._tokens_per_minute))

    def pause(self, seconds: float) -> None:
        """Let no turn come before that."""
        self._execute(_PAUSE, seconds)

    @repeatable
    def _reserve(self, takes: float, longest_wait: float) -> float:
        parameters = {**self._parameters(takes), "longest_wait": timedelta(seconds=longest_wait)}
        with self._database.transaction() as connection:
            row = connection.execute(_RESERVE, parameters).fetchone()
        return float(row[0]) if row else 0.0

    @repeatable
    def _execute(self, statement: LiteralString, takes: float) -> None:
        with self._database.transaction() as connection:
            connection.execute(statement, self._parameters(takes))

    def _parameters(self, takes: float) -> dict[str, object]:
        return {"provider": self._provider, "takes": timedelta(seconds=takes)}


def _seconds(amount: int, per_minute: int | None) -> float:
    """How long a request of this amount takes, so that no minute holds more than the limit.

    Any minute holds the requests that it has room for and, where it begins just before one, one more.
    """
    if per_minute is None:
        return 0.0
    return 60 * amount / max(_SHARE_USED * per_minute - amount, per_minute / 2)
