"""What a transcript was made with, and its quality.

Revision ID: b3f0c6d18e42
Revises: c5d08e2f7a61
"""

import sqlalchemy as sa
from alembic import op

revision = "b3f0c6d18e42"
down_revision = "c5d08e2f7a61"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns; recordings that were transcribed before have neither."""
    op.add_column("recordings", sa.Column("transcribed_with", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("recordings", sa.Column("quality", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Drop both columns."""
    op.drop_column("recordings", "quality")
    op.drop_column("recordings", "transcribed_with")
