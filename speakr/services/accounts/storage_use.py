"""How much audio a user stores, and how much they may."""

from __future__ import annotations

from dataclasses import dataclass

from speakr.services.accounts import budgets, users

_BYTES_PER_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StorageUse:
    """Bytes of audio that are stored for a user, and their quota; None is no quota."""

    used_bytes: int
    quota_bytes: int | None

    @property
    def used_mb(self) -> float:
        """The stored audio in MiB, with two decimals."""
        return round(self.used_bytes / _BYTES_PER_MB, 2)

    @property
    def quota_mb(self) -> int | None:
        """The quota in whole MiB."""
        return None if self.quota_bytes is None else self.quota_bytes // _BYTES_PER_MB

    @property
    def percentage(self) -> float:
        """The used part of the quota in percent, with one decimal; 0 without a quota."""
        if self.quota_bytes is None:
            return 0.0
        return round(100 * self.used_bytes / self.quota_bytes, 1) if self.quota_bytes else 100.0


def of_user(user_id: int) -> StorageUse:
    """Add up what is stored for a user now."""
    return StorageUse(budgets.storage_used(user_id), budgets.limits_of(users.get(user_id)).storage_bytes)
