"""Groups and their members."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.groups import (
    GroupCreateIn,
    GroupListOut,
    GroupListQuery,
    GroupOut,
    GroupUpdateIn,
    MemberCreateIn,
    MemberListOut,
    MemberOut,
    MemberUpdateIn,
)
from speakr.api.schemas.pages import PageQuery
from speakr.db import unit_of_work
from speakr.domain.permissions import GroupRole, Scope
from speakr.services.accounts import groups
from speakr.web.identity import actor, needs
from speakr.web.pages import paged, window_of
from speakr.web.rate_limits import RateClass

blp = noun("groups", "Users who share tags and folders, and the recordings in them")


def _shown(found: groups.Shown) -> dict[str, Any]:
    group = found.group
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "role": found.role,
        "member_count": found.member_count,
        "created_at": group.created_at,
    }


@blp.route("/groups")
class Groups(MethodView):
    """All of a user's groups."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listGroups")
    @blp.arguments(GroupListQuery, location="query")
    @blp.response(200, GroupListOut)
    def get(self, query: dict[str, Any]) -> Any:
        """List the groups you are a member of; with `all=true`, all groups, for site administrators."""
        found = groups.list_page(actor(), window_of(query), everything=query["all"])
        return paged("groups", found.map(_shown), query)

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="createGroup")
    @blp.arguments(GroupCreateIn)
    @blp.response(201, GroupOut)
    def post(self, form: dict[str, Any]) -> Any:
        """Create a group, for site administrators. The caller becomes its first admin."""
        who = actor()
        with unit_of_work():
            return _shown(groups.get(who, groups.create(who, **form).id))


@blp.route("/groups/<id:group_id>")
class Group(MethodView):
    """One group."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getGroup")
    @blp.response(200, GroupOut)
    def get(self, group_id: int) -> Any:
        """Return a group."""
        return _shown(groups.get(actor(), group_id))

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="updateGroup")
    @blp.arguments(GroupUpdateIn, required=False)
    @blp.response(200, GroupOut)
    def patch(self, changes: dict[str, Any], group_id: int) -> Any:
        """Change the name or the description of a group, for its admins."""
        who = actor()
        with unit_of_work():
            groups.update_group(who, group_id, changes)
            return _shown(groups.get(who, group_id))

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="deleteGroup")
    @blp.response(204)
    def delete(self, group_id: int) -> None:
        """Delete a group with its tags and folders; recordings stay with their owners."""
        with unit_of_work():
            groups.remove(actor(), group_id)


@blp.route("/groups/<id:group_id>/members")
class Members(MethodView):
    """The members of a group."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listMembers")
    @blp.arguments(PageQuery, location="query")
    @blp.response(200, MemberListOut)
    def get(self, query: dict[str, Any], group_id: int) -> Any:
        """List a group's members."""
        return paged("members", groups.members(actor(), group_id, window_of(query)), query)

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="addMember")
    @blp.arguments(MemberCreateIn)
    @blp.response(201, MemberOut)
    def post(self, form: dict[str, Any], group_id: int) -> Any:
        """Add a member to a group, for its admins."""
        with unit_of_work():
            return groups.add_member(
                actor(),
                group_id,
                user_id=form.get("user_id"),
                username=form.get("username"),
                role=GroupRole(form["role"]),
            )


@blp.route("/groups/<id:group_id>/members/<id:user_id>")
class Member(MethodView):
    """One member."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="updateMember")
    @blp.arguments(MemberUpdateIn)
    @blp.response(200, MemberOut)
    def patch(self, form: dict[str, Any], group_id: int, user_id: int) -> Any:
        """Change the role of a member, for the group's admins."""
        with unit_of_work():
            return groups.change_role(actor(), group_id, user_id, GroupRole(form["role"]))

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="removeMember")
    @blp.response(204)
    def delete(self, group_id: int, user_id: int) -> None:
        """Remove a member from a group, or leave it."""
        with unit_of_work():
            groups.remove_member(actor(), group_id, user_id)
