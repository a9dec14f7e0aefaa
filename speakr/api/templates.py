"""Templates, and documents that are written with them."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.templates import (
    ExportQuery,
    TemplateCreateIn,
    TemplateListOut,
    TemplateListQuery,
    TemplateOut,
    TemplateUpdateIn,
)
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.domain.templates import TemplateKind
from speakr.services.language import documents, templates
from speakr.web.downloads import content_disposition
from speakr.web.identity import actor, needs
from speakr.web.rate_limits import RateClass

blp = noun("templates", "Layouts of transcripts, titles and exported documents")


@blp.route("/templates")
class Templates(MethodView):
    """All of a user's templates."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listTemplates")
    @blp.arguments(TemplateListQuery, location="query")
    @blp.response(200, TemplateListOut)
    def get(self, query: dict[str, Any]) -> Any:
        """List your templates, all or of one kind."""
        kind = TemplateKind(query["kind"]) if "kind" in query else None
        return {"templates": templates.list_for(actor(), kind)}

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="createTemplate")
    @blp.arguments(TemplateCreateIn)
    @blp.response(201, TemplateOut)
    def post(self, form: dict[str, Any]) -> Any:
        """Create a template."""
        with unit_of_work():
            return templates.create(
                actor(),
                kind=TemplateKind(form["kind"]),
                name=form["name"],
                body=form["body"],
                is_default=form["is_default"],
            )


@blp.route("/templates/<id:template_id>")
class Template(MethodView):
    """One template."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getTemplate")
    @blp.response(200, TemplateOut)
    def get(self, template_id: int) -> Any:
        """Return a template."""
        return templates.get(actor(), template_id)

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="updateTemplate")
    @blp.arguments(TemplateUpdateIn, required=False)
    @blp.response(200, TemplateOut)
    def patch(self, changes: dict[str, Any], template_id: int) -> Any:
        """Change a template."""
        with unit_of_work():
            return templates.change(actor(), template_id, changes)

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="deleteTemplate")
    @blp.response(204)
    def delete(self, template_id: int) -> None:
        """Delete a template."""
        with unit_of_work():
            templates.delete(actor(), template_id)


@blp.route("/templates/<id:template_id>/default")
class DefaultTemplate(MethodView):
    """The default template of a kind."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="makeTemplateDefault")
    @blp.response(200, TemplateOut)
    def post(self, template_id: int) -> Any:
        """Make a template the default of its kind, in place of the previous one."""
        with unit_of_work():
            return templates.make_default(actor(), template_id)


@blp.route("/recordings/<id:recording_id>/export")
class Export(MethodView):
    """A recording as a document."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="exportRecording")
    @blp.arguments(ExportQuery, location="query")
    @blp.response(200, {"type": "string"}, content_type=documents.MEDIA_TYPE)
    def get(self, query: dict[str, Any], recording_id: int) -> Response:
        """Write a recording as a Markdown document, with an export template; notes and tags for the owner only."""
        document = documents.export(actor(), recording_id, query.get("template_id"))
        response = Response(document.text, mimetype=documents.MEDIA_TYPE)
        response.headers["Content-Disposition"] = content_disposition(document.filename, as_attachment=True)
        return response
