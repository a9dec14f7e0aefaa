"""Resumable uploads

Revision ID: 348411b1f439
Revises: 7b1e0c5d93a4
"""

import sqlalchemy as sa
from alembic import op

import speakr.db

revision = '348411b1f439'
down_revision = '7b1e0c5d93a4'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('uploads',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('state', sa.Enum('receiving', 'completed', 'failed', name='uploadstate', native_enum=False, length=40), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('received_bytes', sa.BigInteger(), nullable=False),
    sa.Column('filename', sa.String(length=255), nullable=False),
    sa.Column('fields', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('metadata_header', sa.Text(), nullable=False),
    sa.Column('fence', sa.Integer(), nullable=False),
    sa.Column('held_until', speakr.db.UTCDateTime(), nullable=True),
    sa.Column('expires_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('created_at', speakr.db.UTCDateTime(), nullable=False),
    sa.Column('recording_id', sa.Integer(), nullable=True),
    sa.Column('error', sa.JSON(none_as_null=True), nullable=True),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_uploads_recording_id'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_uploads_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_uploads')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('uploads', schema=None) as batch_op:
        batch_op.create_index('ix_uploads_expires_at', ['expires_at'], unique=False)
        batch_op.create_index('ix_uploads_recording_id', ['recording_id'], unique=False)
        batch_op.create_index('ix_uploads_user_state', ['user_id', 'state'], unique=False)

    op.create_table('upload_parts',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('upload_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('storage_key', sa.String(length=120), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['upload_id'], ['uploads.id'], name=op.f('fk_upload_parts_upload_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_upload_parts')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('upload_parts', schema=None) as batch_op:
        batch_op.create_index('ix_upload_parts_storage_key', ['storage_key'], unique=True)
        batch_op.create_index('ix_upload_parts_upload_id', ['upload_id', 'position'], unique=True)



def downgrade() -> None:
    with op.batch_alter_table('upload_parts', schema=None) as batch_op:
        batch_op.drop_index('ix_upload_parts_upload_id')
        batch_op.drop_index('ix_upload_parts_storage_key')

    op.drop_table('upload_parts')
    with op.batch_alter_table('uploads', schema=None) as batch_op:
        batch_op.drop_index('ix_uploads_user_state')
        batch_op.drop_index('ix_uploads_recording_id')
        batch_op.drop_index('ix_uploads_expires_at')

    op.drop_table('uploads')
