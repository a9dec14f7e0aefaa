"""Texts made with templates: the title of a recording and its export as a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from sqlalchemy import select
from sqlalchemy.orm import Mapped

from speakr.db import db
from speakr.domain.errors import Invalid
from speakr.domain.harmless_markdown import harmless
from speakr.domain.permissions import Actor, Permission
from speakr.domain.templates import TemplateKind
from speakr.domain.transcript import LONG_TEXT, is_long
from speakr.exports import markdown, titles
from speakr.exports.placeholders import Value, fill, length_of, names_in
from speakr.models import Folder, Recording, RecordingSpeaker, RecordingTag, Tag, Template
from speakr.models.filing import Filing
from speakr.offload import run_cpu
from speakr.services.language import templates
from speakr.services.recordings import access, listing
from speakr.services.speech import transcripts

MEDIA_TYPE = markdown.MEDIA_TYPE
MAX_DOCUMENT_LENGTH = 10_000_000
"""Characters of a document. A template may repeat a text many times."""


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    """A rendered document and the name to save it under."""

    text: str
    filename: str


def title_for(recording: Recording, written: str) -> str:
    """Return the title of a recording that has none: the engine's title (`written`) in the owner's naming template.

    If the engine returned no title, a template that contains `title` is not used.
    """
    layout = _template_for(recording, TemplateKind.NAMING)
    if layout is None or (not written and "title" in names_in(layout)):
        return written
    return titles.render(layout, {**_facts(recording, is_owner=True), "title": written}) or written


def export(actor: Actor, recording_id: int, template_id: int | None) -> RenderedDocument:
    """Render a recording as Markdown, with a template of the actor or else with the one that applies to the recording.

    Raises:
        Invalid: the document would be longer than `MAX_DOCUMENT_LENGTH` (`document_too_long`).

    """
    recording = access.get(actor, recording_id, Permission.VIEW, texts=("notes", "summary"))
    is_owner = recording.user_id == actor.user_id
    if template_id is not None:
        layout: str | None = templates.get(actor, template_id, TemplateKind.EXPORT).body
    elif is_owner:
        layout = _template_for(recording, TemplateKind.EXPORT)
    else:
        layout = templates.default_body(actor.user_id, TemplateKind.EXPORT)
    segments, template = transcripts.segments_of(recording.id), templates.transcript_template(actor)
    # Markdown viewers would show what engines wrote down as links and images.
    transcript = run_cpu(
        lambda: harmless(template.render(segments), is_defined_elsewhere=True, has_code=False),
        is_long=is_long(segments),
    )
    values: dict[str, Value] = {
        **_facts(recording, is_owner=is_owner),
        "notes": (recording.notes or "") if is_owner else "",
        "transcript": transcript,
    }
    values["summary"] = _harmless_beside(recording.summary or "", values)
    if layout is not None and length_of(layout, values) > MAX_DOCUMENT_LENGTH:
        raise Invalid(
            f"The document would have more than {MAX_DOCUMENT_LENGTH} characters. Use a shorter template.",
            code="document_too_long",
        )
    text = run_cpu(lambda: markdown.render(values) if layout is None else fill(layout, values))
    return RenderedDocument(text, f"{recording.title}.md")


def _harmless_beside(summary: str, others: Mapping[str, Value]) -> str:
    """Return a harmless summary for a document with other texts, which may define references or contain half of a code block."""
    texts = [text for text in others.values() if isinstance(text, str)]
    is_defined = any("]:" in text for text in texts)
    has_code = not any("`" in text or "~~~" in text for text in texts)
    return run_cpu(
        lambda: harmless(summary, is_defined_elsewhere=is_defined, has_code=has_code),
        is_long=len(summary) > LONG_TEXT,
    )


def _template_for(recording: Recording, kind: TemplateKind) -> str | None:
    """Return a recording's template: that of the first tag with one, else the folder's, else the owner's default."""
    by_tag = (
        select(Template.body)
        .join(Tag, _template_of(Tag, kind) == Template.id)
        .join(RecordingTag, RecordingTag.tag_id == Tag.id)
        .where(RecordingTag.recording_id == recording.id)
        .order_by(RecordingTag.position, Tag.id)
        .limit(1)
    )
    by_folder = (
        select(Template.body)
        .join(Folder, _template_of(Folder, kind) == Template.id)
        .where(Folder.id == recording.folder_id)
    )
    return (
        db.session.scalar(by_tag)
        or db.session.scalar(by_folder)
        or templates.default_body(recording.user_id, kind)
    )


def _template_of(filing: type[Filing], kind: TemplateKind) -> Mapped[int | None]:
    return filing.naming_template_id if kind is TemplateKind.NAMING else filing.export_template_id


def _facts(recording: Recording, *, is_owner: bool) -> dict[str, Value]:
    """Return the values for the placeholders of all templates; tags and folder are for the owner only."""
    moment = recording.meeting_date or recording.created_at
    names = ", ".join(_names_of_speakers(recording.id))
    tags = listing.tags_of([recording.id])[recording.id] if is_owner else ()
    return {
        "title": recording.title,
        "filename": PurePath(recording.original_filename).stem,
        "date": moment,
        "time": moment,
        "speakers": names or recording.participants or "",
        "participants": recording.participants or names,
        "tags": ", ".join(tag.name for tag in tags),
        "folder": (listing.folder_name(recording.folder_id) or "") if is_owner else "",
    }


def _names_of_speakers(recording_id: int) -> list[str]:
    names = db.session.scalars(
        select(RecordingSpeaker.name)
        .where(RecordingSpeaker.recording_id == recording_id)
        .order_by(RecordingSpeaker.label)
    )
    return list(dict.fromkeys(name for name in names if name))
