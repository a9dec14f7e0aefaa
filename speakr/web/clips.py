"""Requests that wait for a transcription which is not kept: receive the file, wait for the result, or stream it.

A client that goes away cancels the job, so that it frees its worker.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from typing import Final

from flask import Response, current_app, request, stream_with_context
from werkzeug.datastructures import MultiDict

from speakr.backends import get_backends
from speakr.domain.clips import ClipOptions, ClipResult, ClipSegment
from speakr.domain.errors import Busy, Unavailable
from speakr.services.recordings import uploads
from speakr.services.speech import clips
from speakr.web.audio_form import naming_field, receive_audio
from speakr.web.connections import Connection
from speakr.web.identity import actor
from speakr.web.multipart import MEBIBYTE, receive_upload
from speakr.web.open_streams import OpenStream

MAX_FORM_BYTES: Final = 12 * MEBIBYTE
"""Reference recordings of known speakers are fields of the form, in Base64."""
BEAT_SECONDS: Final = 5.0

_LOOK_SECONDS = 0.5


def receive(read_options: Callable[[MultiDict[str, str]], ClipOptions], *, file_field: str = "file") -> int:
    """Stream the file of the current request into the storage and queue its transcription; return the job's id.

    read_options: reads the other fields, after the file; raises `Invalid` for wrong ones.

    Raises what `receive_upload` and `clips.submit` raise; nothing is stored then.
    """
    with uploads.begin() as incoming:
        received = receive_upload(request, incoming, file_field=file_field, max_form_bytes=MAX_FORM_BYTES)
        received.require_file()
        return clips.submit(actor(), incoming, read_options(received.fields))


def transcribe_audio(
    read_options: Callable[[MultiDict[str, str]], ClipOptions],
    *,
    file_field: str,
    min_bytes: int,
    max_mb: int,
) -> ClipResult:
    """Receive a form with an audio file, and wait for its transcript; failures name the field of the file.

    Raises what `receive_audio`, `clips.submit` and `result_of` raise.
    """
    with uploads.begin(max_mb=max_mb) as incoming:
        received = receive_audio(request, incoming, file_field=file_field, min_bytes=min_bytes)
        options = read_options(received.fields)
        with naming_field(file_field):
            job_id = clips.submit(actor(), incoming, options)
    with naming_field(file_field):
        return result_of(job_id)


def result_of(job_id: int) -> ClipResult:
    """Wait for the result of a clip, within the bounds of the settings.

    Raises what `clips.wait` raises; `Busy` when no worker starts or ends the work in time. The job is cancelled then.
    """
    waiting = _Waiting(job_id)
    with waiting:
        while (result := clips.wait(waiting.actor, job_id, _LOOK_SECONDS)) is None:
            waiting.check()
        return result


def events_of(job_id: int) -> Generator[ClipSegment | ClipResult | None]:
    """Yield the segments of a clip as they are recognised, None at every pause, and the result at the end.

    Waits first until a worker has begun. Raises and cancels as `result_of` does, also when the iterator is closed.
    """
    waiting = _Waiting(job_id)
    with waiting:
        while not clips.has_started(waiting.actor, job_id):
            waiting.check()
            time.sleep(_START_STEP_SECONDS)
        yield None
        for segment in clips.follow_with_pauses(waiting.actor, job_id):
            if segment is None:
                waiting.check()
            yield segment
        result = clips.wait(waiting.actor, job_id, _LOOK_SECONDS)
        if result is not None:
            yield result


_START_STEP_SECONDS = 0.02


def event_stream(
    events: Generator[ClipSegment | ClipResult | None],
    render: Callable[[Iterator[ClipSegment | ClipResult | None]], Iterator[bytes]],
) -> Response:
    """Answer with server-sent events. The status is sent once a worker has begun; earlier failures have their own.

    render: writes what `events` yields; None is a chance for a comment that keeps the connection alive.
    """
    place = OpenStream(actor().user_id)
    try:
        next(events)  # a worker has begun
    except BaseException:
        place.close()
        raise

    def renewed() -> Iterator[ClipSegment | ClipResult | None]:
        with contextlib.closing(events):
            for event in events:
                place.renew()
                yield event

    response = Response(stream_with_context(render(renewed())), mimetype="text/event-stream")
    response.call_on_close(place.close)
    response.call_on_close(events.close)  # for a client that leaves before the first byte
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"  # without this, nginx buffers the stream
    return response


class Beat:
    """Tells when a comment is due that keeps an idle connection alive."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Return True at most every `BEAT_SECONDS`."""
        if time.monotonic() - self._last < BEAT_SECONDS:
            return False
        self._last = time.monotonic()
        return True


class _Waiting:
    """A request that waits for a clip; its `with` block cancels the job if it fails."""

    def __init__(self, job_id: int) -> None:
        self.actor = actor()
        self._job_id = job_id
        self._app = current_app._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001 - the documented way
        self._began = time.monotonic()
        self._settings = get_backends().settings

    def check(self) -> None:
        """Raise when the client has left or has waited long enough."""
        waited = time.monotonic() - self._began
        connection = request.environ.get("gunicorn.socket")
        if isinstance(connection, Connection) and connection.has_left():
            raise Unavailable("The client has closed the connection.", code="client_left")
        if waited >= self._settings.clip_start_seconds and not clips.has_started(self.actor, self._job_id):
            raise clips.busy()
        if waited >= self._settings.clip_wait_seconds:
            raise Busy(
                "The transcription takes longer than this request may wait. Upload the file as a recording.",
                retry_after_seconds=clips.BUSY_SECONDS,
            )

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            return
        with self._app.app_context():  # that of a closed stream has ended
            clips.abandon(self.actor, self._job_id)
