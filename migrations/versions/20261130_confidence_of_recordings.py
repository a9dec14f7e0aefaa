"""The mean confidence of a recording's transcript, beside the recording; an index by duration.

Revision ID: 4f6a1c9be803
Revises: e4a7c90b15d8
"""

import sqlalchemy as sa
from alembic import op

revision = "4f6a1c9be803"
down_revision = "e4a7c90b15d8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("confidence", sa.Double(), nullable=True))
    op.execute(
        "UPDATE recordings SET confidence ="
        " (SELECT avg(segments.confidence) FROM segments WHERE segments.recording_id = recordings.id)"
    )
    op.create_index("ix_recordings_user_duration", "recordings", ["user_id", "audio_duration", "id"])


def downgrade() -> None:
    op.drop_index("ix_recordings_user_duration", table_name="recordings")
    op.drop_column("recordings", "confidence")
