"""First and last names of users.

Revision ID: 4d1e9c7a2b60
Revises: 4f6a1c9be803
"""

import sqlalchemy as sa
from alembic import op

revision = "4d1e9c7a2b60"
down_revision = "4f6a1c9be803"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns; present users have neither name."""
    op.add_column("users", sa.Column("first_name", sa.String(150), nullable=True))
    op.add_column("users", sa.Column("last_name", sa.String(150), nullable=True))


def downgrade() -> None:
    """Drop both columns."""
    op.drop_column("users", "last_name")
    op.drop_column("users", "first_name")
