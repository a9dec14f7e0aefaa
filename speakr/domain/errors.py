"""Errors by type. The API turns them into answers; jobs decide by them whether to retry.

Every `code` is a stable slug that clients may switch on; every message is a sentence a user may read,
so it never holds a server path or the output of a tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class SpeakrError(Exception):
    """Base of all errors that Speakr raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, code: str | None = None, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.slug = code or self.code
        self.extra: Mapping[str, Any] = extra


# -- errors of requests


class NotAuthenticated(SpeakrError):
    """No credential, or one that is wrong, expired or revoked."""

    code = "not_authenticated"


class Forbidden(SpeakrError):
    """The actor may see the object but not do this to it."""

    code = "forbidden"


class NotFound(SpeakrError):
    """The object does not exist, or the actor may not see it."""

    code = "not_found"


class Invalid(SpeakrError):
    """The request is invalid; `errors` names the fields."""

    code = "invalid"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        errors: Mapping[str, list[str]] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message, code=code, **extra)
        self.errors = dict(errors or {})


class Conflict(SpeakrError):
    """The current state does not allow the request."""

    code = "conflict"


class UploadLocked(Conflict):
    """Another request writes to this upload; its lock ends by itself after `retry_after_seconds`."""

    code = "upload_locked"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TooLarge(SpeakrError):
    """The body or the audio is over a limit that the message names."""

    code = "too_large"


class NotModifiedSince(SpeakrError):
    """`If-Match` named a version that is no longer current."""

    code = "precondition_failed"


class RateLimited(SpeakrError):
    """More than a user may do at once or in this minute; another try makes sense after `retry_after_seconds`."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_seconds: int, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class OutOfSpace(SpeakrError):
    """The storage has no space for this."""

    code = "out_of_space"


class Unavailable(SpeakrError):
    """A part that this request needs is not configured or unreachable."""

    code = "unavailable"


class Busy(Unavailable):
    """All workers are busy; the request was undone and may be sent again after `retry_after_seconds`."""

    code = "busy"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ConflictingWrites(Unavailable):
    """Concurrent requests change the same data; this one was undone and may be sent again."""

    code = "conflicting_writes"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class LanguageModelUnavailable(Unavailable):
    """A request needs the language model, which does not answer or refuses."""

    code = "language_model_unavailable"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class EmbeddingModelUnavailable(Unavailable):
    """A search by meaning needs the embedding model, which does not answer or refuses."""

    code = "embedding_model_unavailable"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


# -- errors of jobs


class JobError(SpeakrError):
    """Base of failures inside a job."""

    code = "job_failed"
    tokens_spent = 0
    """Tokens of requests to a language model that succeeded before the failure; they count all the same."""


class PermanentJobError(JobError):
    """A retry cannot help: the file, the options or the configuration are wrong."""


class TransientJobError(JobError):
    """A retry may help. `retry_after_seconds` is the pause that the provider asked for, if any."""

    code = "temporarily_unavailable"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class UnusableMedia(PermanentJobError, Invalid):
    """The bytes are not usable audio; the slug says why.

    Slugs: `empty_file`, `not_media`, `no_audio_stream`, `undecodable`, `too_long`, `unsupported_format`.
    It is a 400 for a request and a permanent failure for a job.
    """

    code = "unusable_media"


class MediaToolFailed(TransientJobError):
    """The sandboxed decoder died, possibly not because of the file."""

    code = "media_tool_failed"


class ConnectorRejected(PermanentJobError):
    """A provider refused the request for good (bad key, unknown model, bad audio)."""

    code = "provider_rejected"
    status: int | None = None
    """The HTTP status, if it was one."""
    provider_answer = ""
    """The body of the answer, for connectors only. It may hold anything, so it is neither stored nor logged."""


class ConnectorTooLarge(ConnectorRejected):
    """A provider refuses a request of this size; a smaller one may work."""

    code = "provider_too_large"


class ConnectorUnavailable(TransientJobError):
    """A provider is down, slow or rate limiting."""

    code = "provider_unavailable"


class ConnectorBusy(ConnectorUnavailable):
    """A working provider asks to wait; this does not count as a failed attempt."""

    code = "provider_busy"
    reason: ClassVar[str] = "The engine asks to wait"
    """What the job's message says."""


class FetchSlotsTaken(ConnectorBusy):
    """As many files are being fetched as may be at the same time."""

    code = "fetch_slots_taken"
    reason = "Other files are being fetched"


class JobCancelled(JobError):
    """The user asked to stop; not a failure."""

    code = "cancelled"


class MadeWay(Exception):
    """A job stops between two pieces of work, so that another one runs first. Nothing failed."""


class ClaimLost(JobError):
    """Another worker owns this job now: stop at once and write nothing."""

    code = "claim_lost"
