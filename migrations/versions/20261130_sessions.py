"""Sessions: logins behind a cookie or a pair of JWTs

Revision ID: 9b1d7c40e6a2
Revises: 348411b1f439
"""

import sqlalchemy as sa
from alembic import op

from speakr.db import UTCDateTime

revision = '9b1d7c40e6a2'
down_revision = '348411b1f439'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'sessions',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('family', sa.String(length=40), nullable=False),
        sa.Column('sha256', sa.String(length=64), nullable=True),
        sa.Column('generation', sa.Integer(), nullable=False),
        sa.Column('created_at', UTCDateTime(), nullable=False),
        sa.Column('rotated_at', UTCDateTime(), nullable=False),
        sa.Column('expires_at', UTCDateTime(), nullable=False),
        sa.Column('revoked_at', UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ['user_id'], ['users.id'], name=op.f('fk_sessions_user_id'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_sessions')),
        sa.UniqueConstraint('sha256', name=op.f('uq_sessions_sha256')),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f('ix_sessions_user_id'), 'sessions', ['user_id'])
    op.create_index(op.f('ix_sessions_expires_at'), 'sessions', ['expires_at'])


def downgrade() -> None:
    op.drop_table('sessions')
