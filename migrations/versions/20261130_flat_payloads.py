"""Flat payloads of webhooks, and webhooks that are set by a preference.

Revision ID: e7a2c94b1d60
Revises: b3f0c6d18e42
"""

import sqlalchemy as sa
from alembic import op

revision = "e7a2c94b1d60"
down_revision = "b3f0c6d18e42"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns; existing webhooks have neither."""
    op.add_column("webhooks", sa.Column("payload_keys", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("webhooks", sa.Column("preference", sa.String(60), nullable=True))
    op.create_index("uq_webhooks_preference", "webhooks", ["user_id", "preference"], unique=True)


def downgrade() -> None:
    """Delete the webhooks that the version before cannot send to, and drop both columns."""
    op.execute("DELETE FROM webhooks WHERE payload = 'flat'")
    op.drop_index("uq_webhooks_preference", "webhooks")
    op.drop_column("webhooks", "preference")
    op.drop_column("webhooks", "payload_keys")
