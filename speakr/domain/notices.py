"""Kinds of notices: messages from the server to a user."""

from __future__ import annotations

from enum import StrEnum


class NoticeKind(StrEnum):
    """What a notice is about."""

    WEBHOOK_PAUSED = "webhook.paused"
