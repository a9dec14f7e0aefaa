"""Transcripts can be corrected: their history, the text as it was recognised, and what follows corrections

Revision ID: 9d27c4e8b613
Revises: 8d2f6b0c41ae
"""

import sqlalchemy as sa
from alembic import op

import speakr.db

revision = '9d27c4e8b613'
down_revision = '8d2f6b0c41ae'
branch_labels = None
depends_on = None

KINDS = ('transcribed', 'text', 'segments', 'segment', 'speaker', 'split', 'merge', 'delete', 'replace', 'undo', 'redo', 'restore')

NEW_COLUMNS = (('recordings', 'transcript_revision'), ('recordings', 'summary_revision'), ('insights', 'transcript_revision'))


def upgrade() -> None:
    op.create_table('recognized_transcripts',
    sa.Column('recording_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_recognized_transcripts_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', name=op.f('pk_recognized_transcripts'))
    )
    op.create_table('transcript_follow_ups',
    sa.Column('recording_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('first_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('due_at', speakr.db.UTCDateTime(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_transcript_follow_ups_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', name=op.f('pk_transcript_follow_ups'))
    )
    op.create_index('ix_transcript_follow_ups_due_at', 'transcript_follow_ups', ['due_at'], unique=False)
    op.create_table('transcript_revisions',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum(*KINDS, name='revisionkind', native_enum=False, length=40), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=True),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('words_added', sa.Integer(), nullable=False),
    sa.Column('words_removed', sa.Integer(), nullable=False),
    sa.Column('segments_changed', sa.Integer(), nullable=False),
    sa.Column('undo_to', sa.Integer(), nullable=True),
    sa.Column('redo_to', sa.Integer(), nullable=True),
    sa.Column('details', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('replaced', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_transcript_revisions_recording_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_transcript_revisions_user_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_transcript_revisions')),
    sqlite_autoincrement=True
    )
    op.create_index('ix_transcript_revisions_user_id', 'transcript_revisions', ['user_id'], unique=False)
    op.create_index('uq_transcript_revisions_number', 'transcript_revisions', ['recording_id', 'number'], unique=True)
    for table, name in NEW_COLUMNS:
        op.add_column(table, sa.Column(name, sa.Integer(), server_default='0', nullable=False))
    # Of recordings that were transcribed again, insights belong to the transcript before.
    op.execute(
        "UPDATE insights SET transcript_revision = -1 WHERE last_segment_id <> "
        "(SELECT coalesce(max(segments.id), 0) FROM segments WHERE segments.recording_id = insights.recording_id)"
    )
    # It was never written.
    op.drop_column('segments', 'raw_text')


def downgrade() -> None:
    op.add_column('segments', sa.Column('raw_text', sa.Text(), nullable=True))
    for table, name in NEW_COLUMNS:
        op.drop_column(table, name)
    op.drop_table('transcript_revisions')
    op.drop_table('transcript_follow_ups')
    op.drop_table('recognized_transcripts')
