"""Uploads that take more than one request: the states of one."""

from __future__ import annotations

from enum import StrEnum


class UploadState(StrEnum):
    """RECEIVING until a recording exists or the file is refused; the bytes may all be there before that.

    An upload from a URL is QUEUED and FETCHING instead. A signed upload is WAITING until a PUT has brought the file.
    """

    RECEIVING = "receiving"
    QUEUED = "queued"
    FETCHING = "fetching"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"


OPEN = (UploadState.RECEIVING, UploadState.QUEUED, UploadState.FETCHING, UploadState.WAITING)
"""States that are not final."""
