"""Vectors of fixed texts by which a changed embedder is noticed, and the spaces that it then gets."""

from alembic import op

revision = "0003"
down_revision = "0002"

# `texts` names the set of texts; `vectors` are float32, little-endian, row after row.
REFERENCE_VECTORS = """
ALTER TABLE embedding_spaces ADD COLUMN generation integer NOT NULL DEFAULT 0 CHECK (generation >= 0);
CREATE TABLE reference_vectors (
    space   text NOT NULL REFERENCES embedding_spaces ON DELETE CASCADE,
    texts   text NOT NULL,
    vectors bytea NOT NULL,
    device  text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (space, texts)
);
"""


def upgrade() -> None:
    op.execute(REFERENCE_VECTORS)


def downgrade() -> None:
    raise NotImplementedError("a newer database is not made older: restore the copy made before")
