"""Spaces of models that a server runs, and the limits of such servers."""

from alembic import op

revision = "0003"
down_revision = "0002"

# Who serves the model over HTTP, and what it is asked beside the text (JSON); empty: the model runs with the product.
SPACES = """
ALTER TABLE embedding_spaces
    ADD COLUMN provider text NOT NULL DEFAULT '',
    ADD COLUMN request  text NOT NULL DEFAULT '';
"""

# Until when the requests that were reserved use the limits of a provider up.
LIMITS = """
CREATE TABLE rate_limits (
    provider   text PRIMARY KEY,
    used_until timestamptz NOT NULL DEFAULT now()
);
"""


def upgrade() -> None:
    for statements in (SPACES, LIMITS):
        op.execute(statements)


def downgrade() -> None:
    op.execute("DROP TABLE rate_limits")
    op.execute("ALTER TABLE embedding_spaces DROP COLUMN provider, DROP COLUMN request")
