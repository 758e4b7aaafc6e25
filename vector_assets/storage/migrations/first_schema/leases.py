"""Leases: which run may store vectors of a partition."""

# A lease that was taken from its run is no row any more, so that the token alone says whether it still holds. Tokens
# are never given out again. There is no reference to the space: the first run of a database registers it.
LEASES = """
CREATE TABLE partition_leases (
    token      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space      text COLLATE "C" NOT NULL,
    market     text COLLATE "C" NOT NULL,
    doc_type   text COLLATE "C" NOT NULL,
    stock_code text COLLATE "C" NOT NULL,
    run_id     text NOT NULL,
    host       text NOT NULL,
    pid        integer NOT NULL,
    taken_at   timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    UNIQUE (space, market, doc_type, stock_code)
)
"""

STATEMENTS = (LEASES,)
