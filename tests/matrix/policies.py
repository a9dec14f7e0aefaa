"""Policies: who may do what, by kind of object. Every route has one of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.matrix.world import ROLES

Outcome = Literal["yes", 403, 404]
Policy = Mapping[str, Outcome]


def _policy(default: Outcome, **roles: Outcome) -> Policy:
    return {role: roles.get(role, default) for role in ROLES}


def but(policy: Policy, **roles: Outcome) -> Policy:
    """Return a policy with exceptions."""
    return {**policy, **roles}


ANYBODY = _policy("yes")
"""Lists and new objects: every user may, and sees nothing of others."""

EACH = _policy("yes")
"""Many objects at once, each with its own result: the call succeeds for every user (`test_references.py`)."""

MINE = _policy(404, owner="yes")
"""Only the owner may know that it exists."""

VIEW = _policy("yes", stranger=404, root=404)
"""What any recipient of a recording may do."""

EDIT = but(VIEW, viewer=403, member=403)
"""What any editor of a recording may do."""

OWN = but(_policy(403), stranger=404, root=404, owner="yes")
"""What only the owner may do, to objects that others see."""

IN_GROUP = but(MINE, member="yes", lead="yes")
"""A group's tag or folder: the members see it; being a site admin is not being a member."""

LEADS = but(IN_GROUP, member=403, owner=403)
"""Changing a group's tag or folder: its admins may. The owner of the recording is a mere member of the group."""

GROUP = but(IN_GROUP, root="yes")
"""Groups themselves; site admins manage them."""

MANAGES = but(GROUP, member=403, owner=403)
"""Changing a group: its admins and site admins."""

SITE_ADMIN = _policy(403, root="yes")
"""For site admins. That there are such routes is no secret, so others get 403, also with a token that has the scope."""

LOGGED_IN = _policy(403)
"""What needs the session of a login; the callers here have API tokens."""

Fill = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Case:
    """One way to call a route."""

    policy: Policy
    body: Fill | None = None
    """Make the JSON body out of the ids."""
    query: str = ""
    """With `{names}` of ids in it."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """A parameter in the path -> another id than the one of that name."""
    shows: tuple[str, ...] = ()
    """What the owner finds in the answer: proof that looking for it in others' answers means something."""
    name: str = ""
    is_upload: bool = False
    data: bytes | None = None
    """A body that is no JSON; `headers` says what it is."""
    headers: Mapping[str, str] = field(default_factory=dict)


def fixed(**body: Any) -> Fill:
    """Return a body with no ids in it."""
    return lambda _ids: body
