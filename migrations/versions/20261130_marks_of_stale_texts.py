"""A mark per stale recording, so that its texts can be indexed outside a transaction.

Revision ID: b3f1c8a2d704
Revises: 5c1e8a7f92d4
"""

import sqlalchemy as sa
from alembic import op

revision = "b3f1c8a2d704"
down_revision = "5c1e8a7f92d4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("search_stale", sa.Column("mark", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("search_stale", "mark")
