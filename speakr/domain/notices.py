"""The words for what users are told without asking."""

from __future__ import annotations

from enum import StrEnum


class NoticeKind(StrEnum):
    """What a notice is about."""

    WEBHOOK_PAUSED = "webhook.paused"
