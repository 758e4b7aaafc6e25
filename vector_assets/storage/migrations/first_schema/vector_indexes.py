"""The indexes of the tables of vectors: which one searches read, and what its build took."""

# Searches read the index of a space that has an ef_search, and there is at most one. A row without it is of an index
# that has not passed its check of recall. An index without a row is none of ours. A search whose filter leaves fewer
# vectors than `from_vectors` compares each of these.
INDEXES = """
CREATE TABLE vector_indexes (
    space         text COLLATE "C" NOT NULL REFERENCES embedding_spaces ON DELETE CASCADE,
    generation    integer NOT NULL CHECK (generation > 0),
    built_at      timestamptz NOT NULL DEFAULT now(),
    built_vectors bigint NOT NULL,
    built_bytes   bigint NOT NULL,
    build_seconds double precision NOT NULL,
    ef_search     integer CHECK (ef_search BETWEEN 1 AND 1000),
    from_vectors  integer,
    recall        double precision,
    checked_at    timestamptz,
    PRIMARY KEY (space, generation)
);
CREATE UNIQUE INDEX vector_indexes_one_in_use ON vector_indexes (space) WHERE ef_search IS NOT NULL;
"""

STATEMENTS = (INDEXES,)
