"""Folders of users and of groups. An administrator enables the feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy import update as sql_update

from speakr.db import db
from speakr.domain.caps import Noun
from speakr.domain.errors import Forbidden, Invalid
from speakr.domain.paging import Part, Window
from speakr.domain.permissions import Actor, GroupRole
from speakr.models import Folder, Group, Recording, Template
from speakr.services import caps, paging
from speakr.services.accounts import memberships
from speakr.services.recordings import changes, filing
from speakr.services.system import system_settings

_TAKEN_IN_GROUP = "A folder with this name already exists for this group"


@dataclass(frozen=True, slots=True)
class Shown:
    """A folder and its related values. `role` is the actor's role in the owning group."""

    folder: Folder
    group_name: str | None
    template_names: Mapping[int, str]
    recording_count: int
    can_edit: bool
    role: GroupRole | None


def are_enabled() -> bool:
    """Tell whether folders are enabled on this server."""
    return bool(system_settings.get("enable_folders"))


def require() -> None:
    """Refuse with 403 when folders are disabled."""
    if not are_enabled():
        raise Forbidden("Folders feature is not enabled", code="folders_disabled")


def list_page(actor: Actor, window: Window | None = None) -> Part[Shown]:
    """Return the actor's own folders by name, then those of their groups by name; empty while folders are disabled."""
    if not are_enabled():
        return Part((), 0)
    query = (
        select(Folder)
        .where(memberships.can_use(Folder, actor))
        .order_by(Folder.group_id.is_not(None), func.lower(Folder.name), Folder.id)
    )
    found = paging.objects(query, window)
    return Part(_show(actor, found.items), found.total)


def look_at(actor: Actor, folder_id: int) -> Shown:
    """Return one folder that the actor may use."""
    return show(actor, filing.load(Folder, actor, folder_id))


def show(actor: Actor, folder: Folder) -> Shown:
    """Return a folder with its related values."""
    return _show(actor, [folder])[0]


def create(actor: Actor, values: Mapping[str, Any]) -> Folder:
    """Create a folder, owned by a group if `group_id` is given."""
    require()
    owner = filing.owner_columns(actor, values.get("group_id"), "Only group admins can create group folders")
    _check_name(values)
    caps.require_room(Noun.FOLDERS, select(Folder.id).filter_by(**owner))
    folder = Folder(**owner)
    with filing.unique_name(folder, "Folder with this name already exists", _TAKEN_IN_GROUP):
        filing.put(actor, folder, values)
        db.session.add(folder)
    return folder


def update(actor: Actor, folder_id: int, values: Mapping[str, Any]) -> Folder:
    """Change columns of a folder. `group_id` moves it to a group that the actor administers, or back to the actor."""
    require()
    folder = filing.load(Folder, actor, folder_id, for_change=True)
    if "name" in values:
        _check_name(values)
    with filing.unique_name(folder, "Another folder with this name already exists", _TAKEN_IN_GROUP):
        if "group_id" in values and values["group_id"] != folder.group_id:
            _move(actor, folder, values["group_id"])
        filing.put(actor, folder, values)
    return folder


def delete(actor: Actor, folder_id: int) -> None:
    """Delete a folder; its recordings remain, without a folder."""
    require()
    folder = filing.load(Folder, actor, folder_id, for_change=True)
    with changes.record_changes(Recording.folder_id == folder.id, "folder_id"):
        db.session.delete(folder)


def _move(actor: Actor, folder: Folder, group_id: int | None) -> None:
    owner = filing.owner_columns(actor, group_id, "Only group admins can create group folders")
    caps.require_room(Noun.FOLDERS, select(Folder.id).filter_by(**owner))
    folder.user_id, folder.group_id = owner["user_id"], owner["group_id"]
    # Recordings whose owners cannot use the folder any more leave it.
    others = and_(
        Recording.folder_id == folder.id,
        Recording.user_id != actor.user_id
        if group_id is None
        else Recording.user_id.not_in(memberships.members(group_id)),
    )
    with changes.record_changes(others, "folder_id"):
        db.session.execute(sql_update(Recording).where(others).values(folder_id=None))


def _check_name(values: Mapping[str, Any]) -> None:
    if not values.get("name", ""):
        raise Invalid("Folder name is required", errors={"name": ["must not be empty"]})


def _show(actor: Actor, folders: Sequence[Folder]) -> list[Shown]:
    roles = memberships.roles(actor.user_id)
    group_ids = {folder.group_id for folder in folders if folder.group_id is not None}
    groups = _names(Group, group_ids)
    templates = _names(
        Template,
        {
            template_id
            for folder in folders
            for template_id in (folder.naming_template_id, folder.export_template_id)
            if template_id is not None
        },
    )
    counts = dict(
        db.session.execute(
            select(Recording.folder_id, func.count())
            .where(Recording.folder_id.in_([folder.id for folder in folders]))
            .group_by(Recording.folder_id)
        ).all()
    )
    return [
        Shown(
            folder=folder,
            group_name=groups.get(folder.group_id or 0),
            template_names=templates,
            recording_count=counts.get(folder.id, 0),
            can_edit=memberships.can_edit(folder, actor, roles),
            role=roles.get(folder.group_id or 0),
        )
        for folder in folders
    ]


def _names(kind: type[Group | Template], ids: set[int]) -> dict[int, str]:
    if not ids:
        return {}
    return {
        row.id: row.name for row in db.session.execute(select(kind.id, kind.name).where(kind.id.in_(ids)))
    }
