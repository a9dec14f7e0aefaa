"""An index over the storage keys of recordings, for the orphan sweep

Revision ID: 7b1e0c5d93a4
Revises: 5e4c1a7d20b9
"""

from alembic import op

revision = '7b1e0c5d93a4'
down_revision = '5e4c1a7d20b9'
branch_labels = None
depends_on = None


def upgrade():
    op.create_index('ix_recordings_storage_key', 'recordings', ['storage_key'])


def downgrade():
    op.drop_index('ix_recordings_storage_key', 'recordings')
