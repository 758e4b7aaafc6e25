"""What the last run of each partition did, in a row of its own; the tables of vectors need not be asked for it."""

from alembic import op

revision = "0002"
down_revision = "0001"

# What is the partition's is of all vectors that it had after the run; `vectors` is the summary of what they are like
# (quality.vector_summary.VectorSummary), for the next run to compare with.
LAST_RUNS = """
CREATE TABLE last_runs (
    space      text NOT NULL REFERENCES embedding_spaces ON DELETE CASCADE,
    market     text NOT NULL,
    doc_type   text NOT NULL,
    stock_code text NOT NULL,
    run_id     text NOT NULL,
    ended_at   timestamptz NOT NULL DEFAULT now(),
    chunks     integer NOT NULL,
    tokens     bigint NOT NULL,
    seconds    double precision NOT NULL,
    partition_tokens           bigint NOT NULL DEFAULT 0,
    partition_tokens_lost      bigint NOT NULL DEFAULT 0,
    partition_truncated_chunks bigint NOT NULL DEFAULT 0,
    vectors    jsonb,
    PRIMARY KEY (space, market, doc_type, stock_code)
);
"""

# The time a vector was made stood in the index for the last run's sake. Without it, a partition's entries are all the
# same: PostgreSQL keeps them once, with the list of their rows.
SMALLER_INDEXES = """
DO $$
DECLARE slug text;
BEGIN
    FOR slug IN SELECT s.slug FROM embedding_spaces s LOOP
        EXECUTE format('DROP INDEX %I', 'chunk_vectors_' || slug || '_part');
        EXECUTE format('CREATE INDEX %I ON %I (market, doc_type, stock_code)',
                       'chunk_vectors_' || slug || '_part', 'chunk_vectors_' || slug);
    END LOOP;
END $$;
"""


def upgrade() -> None:
    op.execute(LAST_RUNS)
    op.execute(SMALLER_INDEXES)


def downgrade() -> None:
    raise NotImplementedError("a newer database is not made older: restore the copy made before")
