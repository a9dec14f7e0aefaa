"""Folders."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.common import SuccessOut
from speakr.api.schemas.folders import FolderIn, FolderOut, FolderUpdateIn
from speakr.api.schemas.pages import TOTAL_COUNT, PageQuery
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.recordings import filing, folders
from speakr.web.identity import actor, needs
from speakr.web.pages import bare_page, window_of
from speakr.web.rate_limits import RateClass

blp = noun("folders", "Folders for recordings, with defaults for what is put into them")


def _shown(shown: folders.Shown) -> dict[str, Any]:
    folder = shown.folder
    columns = {name: getattr(folder, name) for name in ("id", "group_id", "created_at", *filing.COLUMNS)}
    return {
        **columns,
        "is_group_folder": folder.group_id is not None,
        "group_name": shown.group_name,
        "naming_template_name": shown.template_names.get(folder.naming_template_id or 0),
        "export_template_name": shown.template_names.get(folder.export_template_id or 0),
        "recording_count": shown.recording_count,
        "can_edit": shown.can_edit,
        "user_role": shown.role,
    }


def _update(folder_id: int, values: dict[str, Any]) -> dict[str, Any]:
    who = actor()
    with unit_of_work():
        return _shown(folders.show(who, folders.update(who, folder_id, values)))


@blp.route("/folders")
class Folders(MethodView):
    """All folders that a user may put recordings into."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listFolders")
    @blp.arguments(PageQuery, location="query")
    @blp.response(200, FolderOut(many=True), headers=TOTAL_COUNT)
    def get(self, query: dict[str, Any]) -> Any:
        """List your own folders, then those of your groups; the list is empty while folders are off."""
        return bare_page(folders.list_page(actor(), window_of(query)).map(_shown), query)

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="createFolder")
    @blp.arguments(FolderIn)
    @blp.response(201, FolderOut)
    def post(self, values: dict[str, Any]) -> Any:
        """Create a folder; with `group_id`, one of a group, for its admins."""
        who = actor()
        with unit_of_work():
            return _shown(folders.show(who, folders.create(who, values)))


@blp.route("/folders/<id:folder_id>")
class Folder(MethodView):
    """One folder."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getFolder")
    @blp.response(200, FolderOut)
    def get(self, folder_id: int) -> Any:
        """Return a folder."""
        return _shown(folders.look_at(actor(), folder_id))

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="updateFolder")
    @blp.arguments(FolderUpdateIn, required=False)
    @blp.response(200, FolderOut)
    def patch(self, values: dict[str, Any], folder_id: int) -> Any:
        """Change some fields of a folder. `group_id` moves it into a group; null makes it personal again."""
        return _update(folder_id, values)

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="replaceFolder")
    @blp.arguments(FolderUpdateIn, required=False)
    @blp.response(200, FolderOut)
    def put(self, values: dict[str, Any], folder_id: int) -> Any:
        """Change some fields of a folder (the same as PATCH)."""
        return _update(folder_id, values)

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="deleteFolder")
    @blp.response(200, SuccessOut)
    def delete(self, folder_id: int) -> Any:
        """Delete a folder. Its recordings stay, in no folder."""
        with unit_of_work():
            folders.delete(actor(), folder_id)
        return {"success": True}
