"""The routes of the toy API."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from marshmallow import Schema, fields

from speakr.domain.errors import NotFound
from speakr.domain.permissions import Scope
from speakr.web.arguments import Parser
from speakr.web.identity import actor, needs
from speakr.web.rate_limits import RateClass

blp = Blueprint("tags", __name__)  # a name that the native API has, too
parser = Parser()


@blp.get("/me")
@needs(Scope.READ, RateClass.GET)
def me() -> dict[str, Any]:
    return {"ok": True, "user": actor().username}


@blp.post("/polish")
@needs(Scope.PROCESS, "polish")
@parser.use_args(Schema.from_dict({"level": fields.Integer(required=True, strict=True)}), location="json")
def polish(form: dict[str, Any]) -> dict[str, Any]:
    return {"ok": True, "level": form["level"]}


@blp.get("/things/<int:number>")
@needs(Scope.READ, RateClass.GET)
def thing(number: int) -> dict[str, Any]:
    if number == 13:
        raise RuntimeError("/srv/secret/path")
    raise NotFound("There is no such thing.")
