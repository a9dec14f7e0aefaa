"""`@at_version(read)`: correct only the version of a transcript that the caller has read (RFC 9110, section 13.1.1).

Unlike `@if_match` it locks nothing meanwhile: the view receives the `revision` of the transcript whose `ETag` matched,
and stores its work only if that revision is still current.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, current_app

from speakr.domain.errors import NotFound, NotModifiedSince
from speakr.services.corrections import editing
from speakr.web import conditional
from speakr.web.identity import actor

View = TypeVar("View", bound=Callable[..., Any])
Read = Callable[[dict[str, int]], Any]


def at_version(read: Read) -> Callable[[View], View]:
    """Compare `If-Match` with what `read` returns for the ids in the path; answer with its new `ETag`.

    Stands above `@blp.doc`, and below `@idempotent`. The view takes `revision`; None accepts any.
    """

    def wrap(view: View) -> View:
        @functools.wraps(view)
        def checked(self: Any, *args: Any, **ids: int) -> Any:
            revision = None
            if conditional.brings_condition():
                # Read it first: if the text changes in between, its tag does not match, or the revision is
                # too old.
                revision = editing.revision_of(actor(), ids["recording_id"])
                conditional.require_match(_current(read, ids))
            try:
                response: Response = current_app.make_response(view(self, *args, revision=revision, **ids))
            except NotModifiedSince:
                conditional.send_tag(_tag(read, ids) or "")
                raise
            tag = _tag(read, ids)
            if tag is not None:
                response.set_etag(tag)
            return response

        checked.takes_if_match = True  # type: ignore[attr-defined] # a function takes attributes
        return checked  # type: ignore[return-value] # it takes and gives what the view does

    return wrap


def _current(read: Read, ids: dict[str, int]) -> Response:
    return current_app.make_response(read(ids))


def _tag(read: Read, ids: dict[str, int]) -> str | None:
    """Return the current entity tag, or None if the transcript is gone."""
    try:
        return conditional.tag_of(_current(read, ids).get_data())
    except NotFound:
        return None
