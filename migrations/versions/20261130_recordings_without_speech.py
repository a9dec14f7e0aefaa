"""Recordings in which nothing is said have no transcription.

Revision ID: 7e52c09ab1d6
Revises: e7a95c20d3b8
"""

from alembic import op

revision = "7e52c09ab1d6"
down_revision = "e7a95c20d3b8"
branch_labels = None
depends_on = None

_TRANSCRIBED = "transcription_engine IS NOT NULL"
_HAS_SEGMENTS = "EXISTS (SELECT 1 FROM segments WHERE segments.recording_id = recordings.id)"


def upgrade() -> None:
    """Correct the flag of recordings without a segment, and the engine of those that have no transcript yet."""
    op.execute(
        "UPDATE recordings SET transcription_engine = NULL "
        "WHERE NOT has_transcription AND transcript_revision = 0 AND transcription_engine IS NOT NULL"
    )
    op.execute(
        f"UPDATE recordings SET has_transcription = false "  # noqa: S608 - fixed text
        f"WHERE has_transcription AND {_TRANSCRIBED} AND NOT {_HAS_SEGMENTS}"
    )


def downgrade() -> None:
    """Set the flag again for every recording that was transcribed."""
    op.execute(f"UPDATE recordings SET has_transcription = true WHERE {_TRANSCRIBED}")  # noqa: S608 - fixed text
