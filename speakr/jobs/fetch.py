"""FETCH: bring the file of an upload from its URL into the storage, and make the recording.

Bytes are kept in steps like those of a resumable upload, so after a cut connection or a killed worker the next attempt
goes on with a range request (RFC 9110, section 14) if the server can do that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace

from speakr.db import release, unit_of_work
from speakr.domain.errors import (
    Conflict,
    JobCancelled,
    JobError,
    NotFound,
    OutOfSpace,
    PermanentJobError,
    SpeakrError,
    TooLarge,
    TransientJobError,
    Unavailable,
)
from speakr.egress.download_failures import connection_lost
from speakr.egress.downloads import Download
from speakr.services.jobs import claims
from speakr.services.recordings import fetching, resumable_writing
from speakr.services.recordings.fetching import Fetch
from speakr.web.names import clean_filename

_REPORT_EVERY_SECONDS = 2.0
_MIB = 1024 * 1024
_MIN_PROGRESS_BYTES = _MIB
"""A connection that brought as much before it broke is followed by another one in the same attempt."""


def run(held: claims.Claim) -> None:
    """Fetch what is missing of the file, and make the recording. Done again, it finds the recording and ends."""
    with _as_job_errors():
        if _fetch(held):
            with unit_of_work():
                claims.report(held, "Examining the file", 95)
            fetching.finish(held)
    with unit_of_work():
        claims.succeed(held)
        fetching.forget_request(held)


@contextlib.contextmanager
def _as_job_errors() -> Iterator[None]:
    """Raise errors that services raise for requests as errors of a job, with the same code."""
    try:
        yield
    except JobError:
        raise
    except Conflict as error:
        # The upload is deleted, or another worker has it: then this one has lost its job too and changes nothing.
        raise JobCancelled("The upload was deleted.") from error
    except NotFound as error:
        if error.slug == "upload_lost":
            raise PermanentJobError(error.message, code="upload_lost") from error
        raise JobCancelled("The upload was deleted.") from error
    except TooLarge as error:
        raise PermanentJobError(error.message, code="too_large") from error
    except OutOfSpace as error:
        raise TransientJobError(error.message, code="out_of_space") from error
    except Unavailable as error:
        raise TransientJobError(error.message, code=error.slug) from error
    except SpeakrError as error:
        raise PermanentJobError(error.message, code=error.slug) from error


def _fetch(held: claims.Claim) -> bool:
    """Fetch until all bytes are there; return False when there is a recording already."""
    with unit_of_work():
        fetch = fetching.begin(held)
    if fetch is None or fetch.is_whole:
        return fetch is not None
    release()
    with Download(fetching.policy()) as download:
        while True:
            try:
                _receive(held, fetch, download)
                return True
            except TransientJobError as error:
                if error.slug != "connection_lost":
                    raise
                before = fetch.claim.received_bytes
                release()
                with unit_of_work():
                    fetch = fetching.begin(held)
                if fetch is None or fetch.claim.received_bytes - before < _MIN_PROGRESS_BYTES:
                    raise
                if fetch.is_whole:
                    return True


def _receive(held: claims.Claim, fetch: Fetch, download: Download) -> None:
    """Read one answer of the server to its end."""
    resource = download.open(fetch.request, offset=fetch.claim.received_bytes, validator=fetch.validator)
    filename = clean_filename(resource.filename) if resource.filename else None
    with unit_of_work():
        fetch = fetching.describe(fetch, resource, filename)
    bounded = replace(fetch.claim, size_bytes=fetch.max_bytes)
    written = resumable_writing.write(bounded, _blocks(held, fetch, download))
    size_bytes = fetch.claim.size_bytes
    if written.received_bytes < size_bytes:
        raise connection_lost()
    if not size_bytes:
        with unit_of_work():
            fetching.end(fetch, written.received_bytes)


def _blocks(held: claims.Claim, fetch: Fetch, download: Download) -> Iterator[bytes]:
    """Yield what arrives; in between report how far it is, which also ends a fetch that is not wanted any more."""
    received, size = fetch.claim.received_bytes, fetch.claim.size_bytes
    _report(held, fetch, received)
    reported_at = time.monotonic()
    while (block := download.read()) != b"":
        if block is not None:
            received += len(block)
            if received > (size or fetch.max_bytes):
                raise PermanentJobError(
                    f"The file is larger than the {fetch.max_bytes // _MIB} MB this server accepts.",
                    code="too_large",
                )
            yield block
        if time.monotonic() - reported_at > _REPORT_EVERY_SECONDS:
            _report(held, fetch, received)
            reported_at = time.monotonic()


def _report(held: claims.Claim, fetch: Fetch, received: int) -> None:
    size = fetch.claim.size_bytes
    of_all = f" of {size / _MIB:.1f}" if size else ""
    progress = min(94, 95 * received // size) if size else None
    is_stored = received - fetch.claim.received_bytes >= 2 * resumable_writing.STEP_BYTES
    report = claims.advance if is_stored else claims.report
    release()
    with unit_of_work():
        report(held, f"Fetched {received / _MIB:.1f}{of_all} MB", progress)
        fetching.renew(fetch)
