"""The limits of servers that embed, and what was spent on them."""

# Until when the requests that were reserved use the limits of a provider up.
LIMITS = """
CREATE TABLE rate_limits (
    provider   text PRIMARY KEY,
    used_until timestamptz NOT NULL DEFAULT now()
);
"""

# What was used under the name of a limit, e.g. of a day; and by the partitions, per day.
SPENDING = """
CREATE TABLE spent_tokens (
    name       text PRIMARY KEY,
    tokens     bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE spending (
    space      text NOT NULL,
    market     text COLLATE "C" NOT NULL,
    doc_type   text COLLATE "C" NOT NULL,
    stock_code text COLLATE "C" NOT NULL,
    day        date NOT NULL,
    currency   text NOT NULL,
    tokens     bigint NOT NULL,
    cost       double precision NOT NULL,
    PRIMARY KEY (space, market, doc_type, stock_code, day, currency)
);
"""

STATEMENTS = (LIMITS, SPENDING)
