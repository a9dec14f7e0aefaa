"""What is known of the deaths of workers during a job, the process that holds an idempotency key, and numbers of deliveries.

Revision ID: 7c2e9a41d8b3
Revises: d41b7f0e9c25
"""

import sqlalchemy as sa
from alembic import op

revision = "7c2e9a41d8b3"
down_revision = "d41b7f0e9c25"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and an index on the time of death."""
    op.add_column("jobs", sa.Column("blame_alone", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("claimed_at", sa.DateTime(), nullable=True))
    op.add_column("jobs", sa.Column("died_at", sa.DateTime(), nullable=True))
    op.add_column("jobs", sa.Column("died_at_step", sa.String(220), nullable=True))
    op.add_column("jobs", sa.Column("quarantined_at", sa.DateTime(), nullable=True))
    op.create_index("ix_jobs_died_at", "jobs", ["died_at"])
    op.create_index("ix_jobs_user_claimed", "jobs", ["user_id", "claimed_at"])
    op.add_column("deliveries", sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
    op.create_table(
        "webhook_sequences",
        sa.Column("webhook_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name="fk_webhook_sequences_webhook_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("webhook_id", name="pk_webhook_sequences"),
    )
    op.execute("INSERT INTO webhook_sequences (webhook_id, last) SELECT id, 0 FROM webhooks WHERE is_ordered")
    op.add_column("idempotency_keys", sa.Column("holder", sa.String(100), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("idempotency_keys", "holder")
    op.drop_table("webhook_sequences")
    op.drop_column("deliveries", "sequence")
    op.drop_index("ix_jobs_user_claimed", "jobs")
    op.drop_index("ix_jobs_died_at", "jobs")
    for column in ("quarantined_at", "died_at_step", "died_at", "claimed_at", "blame_alone"):
        op.drop_column("jobs", column)
