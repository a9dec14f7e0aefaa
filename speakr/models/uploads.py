"""Uploads that arrive over several requests, and the stored parts of their files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from speakr.db import Base
from speakr.domain.clock import now
from speakr.domain.uploads import UploadState


class Upload(Base):
    """One upload: resumable (tus), or with a row in `upload_sources`.

    `fence` grows with every request that writes: a request whose fence is no longer the row's can change nothing.
    """

    __tablename__ = "uploads"
    __table_args__ = (
        Index("ix_uploads_user_state", "user_id", "state"),
        Index("ix_uploads_expires_at", "expires_at"),
        Index("ix_uploads_recording_id", "recording_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    state: Mapped[UploadState] = mapped_column(default=UploadState.RECEIVING)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    """0 as long as the size of a fetched or signed upload is not known; no file is that small."""
    received_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """How many are durable: the offset at which the next request goes on."""
    filename: Mapped[str] = mapped_column(String(255))
    fields: Mapped[list[Any]]
    """[name, value] each: those of the multipart form."""
    metadata_header: Mapped[str] = mapped_column(Text, default="")
    """`Upload-Metadata` as the client sent it, which HEAD repeats."""
    fence: Mapped[int] = mapped_column(default=0)
    held_until: Mapped[datetime | None]
    """Until when no other request may write; renewed while bytes arrive."""
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=now)
    recording_id: Mapped[int | None] = mapped_column(ForeignKey("recordings.id", ondelete="SET NULL"))
    error: Mapped[dict[str, Any] | None]
    """{code, error}: why no recording was made of the file when that was last tried."""


class UploadSource(Base):
    """Where the file of an upload comes from, if not from tus: from a URL that Speakr fetches, or by a signed PUT."""

    __tablename__ = "upload_sources"

    upload_id: Mapped[int] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True)
    form: Mapped[dict[str, Any]]
    """The fields of the upload, read and checked (`services/recordings/stored_forms.py`)."""
    sealed_request: Mapped[str | None] = mapped_column(Text)
    """{url, headers}, encrypted: both may hold a credential. None for a signed upload."""
    is_named: Mapped[bool] = mapped_column(default=False)
    """The user has given the file's name, so that of the server does not count."""
    validator: Mapped[str | None] = mapped_column(String(255))
    """ETag or Last-Modified of the file whose first bytes are stored (RFC 9110, section 13.1.5)."""
    content_type: Mapped[str | None] = mapped_column(String(255))
    """The Content-Type that a signed PUT must have; None: any."""


class UploadPart(Base):
    """A blob that holds some of an upload's bytes. The orphan sweep leaves it alone as long as this row exists."""

    __tablename__ = "upload_parts"
    __table_args__ = (
        Index("ix_upload_parts_upload_id", "upload_id", "position", unique=True),
        Index("ix_upload_parts_storage_key", "storage_key", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    upload_id: Mapped[int] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"))
    position: Mapped[int]
    storage_key: Mapped[str] = mapped_column(String(120))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
