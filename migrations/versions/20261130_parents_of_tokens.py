"""The token with which a token was created.

Revision ID: d41b7f0e9c25
Revises: b3f1c8a2d704
"""

import sqlalchemy as sa
from alembic import op

revision = "d41b7f0e9c25"
down_revision = "b3f1c8a2d704"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index."""
    op.add_column("api_tokens", sa.Column("parent_id", sa.Integer(), nullable=True))
    op.create_index("ix_api_tokens_parent_id", "api_tokens", ["parent_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_api_tokens_parent_id", "api_tokens")
    op.drop_column("api_tokens", "parent_id")
