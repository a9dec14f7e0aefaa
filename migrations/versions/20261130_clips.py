"""Clips: audio that is transcribed and not kept

Revision ID: e4a7c90b15d8
Revises: e7a2c94b1d60
"""

import sqlalchemy as sa
from alembic import op

import speakr.db

revision = 'e4a7c90b15d8'
down_revision = 'e7a2c94b1d60'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('clips',
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('duration_seconds', sa.Double(), nullable=False),
    sa.Column('result', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('finished_at', speakr.db.UTCDateTime(), nullable=True),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_clips_job_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', name=op.f('pk_clips'))
    )
    op.create_index(op.f('ix_clips_finished_at'), 'clips', ['finished_at'], unique=False)


def downgrade() -> None:
    # The earlier version knows no such jobs.
    op.execute("DELETE FROM jobs WHERE kind = 'clip'")
    op.drop_index(op.f('ix_clips_finished_at'), table_name='clips')
    op.drop_table('clips')
