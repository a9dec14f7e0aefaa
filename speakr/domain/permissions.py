"""Actors, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """Scopes of a token."""

    READ = "read"
    WRITE = "write"
    PROCESS = "process"
    WEBHOOKS = "webhooks"
    ADMIN = "admin"


DEFAULT_SCOPES = frozenset(Scope) - {Scope.ADMIN}


def scopes_of_password(*, is_admin: bool) -> frozenset[Scope]:
    """Return what a user's password lets them do: all that they may."""
    return frozenset(Scope) if is_admin else DEFAULT_SCOPES


class GroupRole(StrEnum):
    """The role of a user in a group."""

    ADMIN = "admin"
    MEMBER = "member"


class Permission(StrEnum):
    """An action of an actor on one recording."""

    VIEW = "view"
    EDIT = "edit"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Actor:
    """The user who makes a request, with the scopes of the credential."""

    user_id: int
    username: str
    is_admin: bool
    scopes: frozenset[Scope]
    token_id: int | None = None
    session_id: int | None = None

    def may(self, scope: Scope) -> bool:
        """Tell whether the credential carries this scope."""
        return scope in self.scopes

    @property
    def acts_as_admin(self) -> bool:
        """Return True for an admin with a credential that has the scope `admin`."""
        return self.is_admin and Scope.ADMIN in self.scopes
