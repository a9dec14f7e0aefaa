"""Actors, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """Scopes of a token."""

    READ = "read"
    WRITE = "write"
    PROCESS = "process"
    WEBHOOKS = "webhooks"
    ADMIN = "admin"
    CALENDAR = "calendar"
    """The calendar feed and nothing else, for programs that keep the token in an address. `READ` includes it."""


DEFAULT_SCOPES = frozenset({Scope.READ, Scope.WRITE, Scope.PROCESS, Scope.WEBHOOKS})
ALL_SCOPES = DEFAULT_SCOPES | {Scope.ADMIN}
"""What everything needs; `CALENDAR` is part of `READ`."""
_INCLUDED = {Scope.CALENDAR: Scope.READ}
"""Scope -> the scope that includes it."""


def missing(wanted: Iterable[Scope], scopes: frozenset[Scope]) -> list[Scope]:
    """Return the wanted scopes that a credential with these scopes neither has nor includes, sorted."""
    return sorted(scope for scope in set(wanted) if not {scope, _INCLUDED.get(scope, scope)} & scopes)


def scopes_of_password(*, is_admin: bool) -> frozenset[Scope]:
    """Return what a user's password lets them do: all that they may."""
    return ALL_SCOPES if is_admin else DEFAULT_SCOPES


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
        """Tell whether the credential has this scope, or one that includes it."""
        return not missing([scope], self.scopes)

    @property
    def acts_as_admin(self) -> bool:
        """Return True for an admin with a credential that has the scope `admin`."""
        return self.is_admin and Scope.ADMIN in self.scopes
