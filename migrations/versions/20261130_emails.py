"""E-mails with a state of their own, and one verification for each address that is not verified.

Revision ID: e7a95c20d3b8
Revises: 7c2e9a41d8b3
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from speakr.db import UTCDateTime

revision = "e7a95c20d3b8"
down_revision = "7c2e9a41d8b3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, trust the addresses of administrators, and ask the other users to confirm theirs.

    Mail goes to verified addresses only. Administrators run the server, so their mail must not stop with the upgrade.
    """
    op.create_table(
        "emails",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("next_attempt_at", UTCDateTime(), nullable=False),
        sa.Column("settled_at", UTCDateTime(), nullable=True),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_emails_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_emails"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_emails_state", "emails", ["state", "next_attempt_at"])
    op.create_index("ix_emails_user_id", "emails", ["user_id"])
    op.add_column("notices", sa.Column("email_id", sa.Integer(), nullable=True))
    op.create_index("ix_notices_email_id", "notices", ["email_id"])
    users = sa.table(
        "users",
        sa.column("id", sa.Integer),
        sa.column("email", sa.String),
        sa.column("email_verified", sa.Boolean),
        sa.column("is_admin", sa.Boolean),
        sa.column("is_active", sa.Boolean),
    )
    op.execute(
        sa.update(users).where(users.c.is_admin, users.c.email.is_not(None)).values(email_verified=sa.true())
    )
    emails = sa.table("emails", *(sa.column(name) for name in _COLUMNS))
    moment = sa.literal(datetime.now(UTC), UTCDateTime())
    unverified = sa.select(
        users.c.id,
        sa.literal("verification"),
        users.c.email,
        sa.literal("waiting"),
        sa.literal(0),
        moment,
        moment,
    ).where(users.c.email.is_not(None), users.c.email_verified.is_(sa.false()), users.c.is_active.is_(sa.true()))
    op.execute(sa.insert(emails).from_select(_COLUMNS, unverified))


_COLUMNS = ["user_id", "kind", "address", "state", "attempts", "created_at", "next_attempt_at"]


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_notices_email_id", "notices")
    op.drop_column("notices", "email_id")
    op.drop_table("emails")
