"""Summaries of texts that users post

Revision ID: f1c8b27d4e93
Revises: 4d1e9c7a2b60
"""

import sqlalchemy as sa
from alembic import op

import speakr.db

revision = "f1c8b27d4e93"
down_revision = "4d1e9c7a2b60"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "posted_summaries",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("max_words", sa.Integer(), nullable=False),
        sa.Column("lines", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", speakr.db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_posted_summaries_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_posted_summaries")),
    )
    op.create_index(op.f("ix_posted_summaries_created_at"), "posted_summaries", ["created_at"])


def downgrade() -> None:
    # The earlier version knows no such jobs.
    op.execute("DELETE FROM jobs WHERE kind = 'summarize_text'")
    op.drop_index(op.f("ix_posted_summaries_created_at"), table_name="posted_summaries")
    op.drop_table("posted_summaries")
