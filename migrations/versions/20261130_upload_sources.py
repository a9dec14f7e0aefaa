"""Uploads from a URL, and signed uploads

Revision ID: 5c1e8a7f92d4
Revises: 9d27c4e8b613
"""

import sqlalchemy as sa
from alembic import op

revision = '5c1e8a7f92d4'
down_revision = '9d27c4e8b613'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('upload_sources',
    sa.Column('upload_id', sa.Integer(), nullable=False),
    sa.Column('form', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('sealed_request', sa.Text(), nullable=True),
    sa.Column('is_named', sa.Boolean(), nullable=False),
    sa.Column('validator', sa.String(length=255), nullable=True),
    sa.Column('content_type', sa.String(length=255), nullable=True),
    sa.ForeignKeyConstraint(['upload_id'], ['uploads.id'], name=op.f('fk_upload_sources_upload_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('upload_id', name=op.f('pk_upload_sources'))
    )


def downgrade() -> None:
    # The earlier version knows neither these states nor this kind of job.
    op.execute("DELETE FROM jobs WHERE kind = 'fetch'")
    op.execute("DELETE FROM upload_parts WHERE upload_id IN (SELECT upload_id FROM upload_sources)")
    op.execute("DELETE FROM uploads WHERE id IN (SELECT upload_id FROM upload_sources)")
    op.drop_table('upload_sources')
