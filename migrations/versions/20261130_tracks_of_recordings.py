"""What the file of a recording is like: its tracks, its faults, and where the date comes from.

Revision ID: c5d08e2f7a61
Revises: 7e52c09ab1d6
"""

import sqlalchemy as sa
from alembic import op

revision = "c5d08e2f7a61"
down_revision = "7e52c09ab1d6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("meeting_date_source", sa.String(length=20), nullable=True))
    op.add_column("recordings", sa.Column("tracks", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("recordings", sa.Column("warnings", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("recordings", sa.Column("skipped_seconds", sa.Double(), nullable=True))


def downgrade() -> None:
    for name in ("skipped_seconds", "warnings", "tracks", "meeting_date_source"):
        op.drop_column("recordings", name)
