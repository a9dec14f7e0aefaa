"""Resumable uploads: the states of one."""

from __future__ import annotations

from enum import StrEnum


class UploadState(StrEnum):
    """RECEIVING until a recording exists or the file is refused; the bytes may all be there before that."""

    RECEIVING = "receiving"
    COMPLETED = "completed"
    FAILED = "failed"
