"""Change text, tags and fields of a user's own recording in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from speakr.db import unit_of_work
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Actor
from speakr.domain.recordings import WITHOUT_TEXT
from speakr.models import Recording
from speakr.services.corrections import corrections
from speakr.services.recordings import access, editing, tagging
from speakr.services.speech.formatted_texts import formatted


def change(
    actor: Actor,
    recording_id: int,
    fields: Mapping[str, Any],
    *,
    text: str | None = None,
    tag_ids: Sequence[int] | None = None,
) -> Recording:
    """Change a recording; None leaves text or tags as they are. The formatted text, sent back unchanged, is no edit.

    The tags are checked before anything changes. The text has a transaction of its own, before that of the rest.

    Raises:
        NotFound: the actor owns no such recording.
        Invalid: a tag may not be used, or a text is given for a recording that has none yet (`no_text_yet`).

    """
    recording = access.own(actor, recording_id)
    if tag_ids is not None:
        tagging.required(actor, tag_ids)
    if text is not None and text != formatted(recording).text:
        if not recording.is_transcribed or recording.status in WITHOUT_TEXT:
            raise Invalid("The recording has no text yet.", code="no_text_yet")
        corrections.replace(actor, recording_id, {"text": text}, revision=None)
    with unit_of_work():
        if tag_ids is not None:
            tagging.replace(actor, recording_id, tag_ids)
        if fields:
            editing.update(actor, recording_id, fields)
    return access.own(actor, recording_id)
