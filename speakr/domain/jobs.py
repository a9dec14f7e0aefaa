"""The kinds of background work, the states of a job, and when to try again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class JobKind(StrEnum):
    """The names of the kinds of background work; `KINDS` describes them."""

    TRANSCRIBE = "transcribe"
    SUMMARIZE = "summarize"
    EXTRACT = "extract"
    EMBED = "embed"
    MERGE = "merge"
    CUT = "cut"
    VOICES = "voices"
    FETCH = "fetch"
    CLIP = "clip"
    SUMMARIZE_TEXT = "summarize_text"


class Queue(StrEnum):
    """The queues that workers read, in this order: short work first, work without a waiting user last."""

    CLIPS = "speakr-clips"
    """First: a request waits for the result."""
    LANGUAGE = "speakr-language"
    FETCH = "speakr-fetch"
    """Before speech: an address may expire while a long backlog is transcribed."""
    SPEECH = "speakr-speech"
    HELP = "speakr-help"
    """Requests to join a job that another worker owns; no kind has its jobs here."""
    MEANING = "speakr-meaning"


class Subject(StrEnum):
    """What a job is about, besides the user it is done for."""

    NOTHING = "nothing"
    RECORDING = "recording"


class Budget(StrEnum):
    """Which of a user's monthly budgets a job counts against."""

    AUDIO = "audio"
    """Seconds of transcribed audio."""
    TOKENS = "tokens"
    """Language model tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of background work.

    `handler` and `steps` are names (`package.module:attribute`), because every layer reads this table and the code
    that they name belongs to higher layers. `handler` is a function that a worker calls with the claim of a job;
    `steps` is a `speakr.services.jobs.kinds.Steps`, or None if nothing else happens when a job changes its state.
    """

    handler: str
    queue: Queue
    subject: Subject
    steps: str | None = None
    budget: Budget | None = None
    shows_in_status: bool = False
    """The recording is not complete while such a job is queued or running."""
    is_awaited: bool = True
    """Users wait for it: it counts in queue positions, and helpers of other jobs stop for it."""
    is_repeatable: bool = True
    """A failed or cancelled job may be queued again; False if nothing is kept of what it works on."""
    max_attempts: int | None = None
    """Tries that may end in a passing failure; None: as many as the setting SPEAKR_JOB_MAX_ATTEMPTS."""


KINDS: Mapping[str, Kind] = {
    JobKind.TRANSCRIBE: Kind(
        handler="speakr.jobs.transcribe:run",
        steps="speakr.services.jobs.pipeline:TRANSCRIPTION",
        queue=Queue.SPEECH,
        subject=Subject.RECORDING,
        budget=Budget.AUDIO,
        shows_in_status=True,
    ),
    JobKind.SUMMARIZE: Kind(
        handler="speakr.jobs.summarize:run",
        steps="speakr.services.jobs.pipeline:SUMMARY",
        queue=Queue.LANGUAGE,
        subject=Subject.RECORDING,
        budget=Budget.TOKENS,
        shows_in_status=True,
    ),
    JobKind.EXTRACT: Kind(
        handler="speakr.jobs.extract:run",
        queue=Queue.LANGUAGE,
        subject=Subject.RECORDING,
        budget=Budget.TOKENS,
    ),
    JobKind.EMBED: Kind(
        handler="speakr.jobs.embed:run",
        queue=Queue.MEANING,
        subject=Subject.RECORDING,
        is_awaited=False,
    ),
    JobKind.MERGE: Kind(
        handler="speakr.jobs.derive:run",
        steps="speakr.services.jobs.pipeline:DERIVATION",
        queue=Queue.SPEECH,
        subject=Subject.RECORDING,
        shows_in_status=True,
    ),
    JobKind.CUT: Kind(
        handler="speakr.jobs.derive:run",
        steps="speakr.services.jobs.pipeline:DERIVATION",
        queue=Queue.SPEECH,
        subject=Subject.RECORDING,
        shows_in_status=True,
    ),
    JobKind.VOICES: Kind(
        handler="speakr.jobs.outdated_voices:run",
        queue=Queue.MEANING,
        subject=Subject.RECORDING,
        is_awaited=False,
    ),
    JobKind.FETCH: Kind(
        handler="speakr.jobs.fetch:run",
        steps="speakr.services.recordings.fetches:STEPS",
        queue=Queue.FETCH,
        subject=Subject.NOTHING,
        max_attempts=3,
    ),
    JobKind.CLIP: Kind(
        handler="speakr.jobs.clip:run",
        steps="speakr.services.speech.clips:STEPS",
        queue=Queue.CLIPS,
        subject=Subject.NOTHING,
        budget=Budget.AUDIO,
        is_repeatable=False,
        max_attempts=3,
    ),
    JobKind.SUMMARIZE_TEXT: Kind(
        handler="speakr.jobs.posted_summaries:run",
        steps="speakr.services.language.posted_summaries:STEPS",
        queue=Queue.LANGUAGE,
        subject=Subject.NOTHING,
        budget=Budget.TOKENS,
        is_repeatable=False,
    ),
}
"""By the name in `jobs.kind`. A row may name a kind that only a newer version knows."""


def kinds_in_status() -> list[str]:
    """Return the kinds that a recording's status shows."""
    return [name for name, kind in KINDS.items() if kind.shows_in_status]


def awaited_kinds() -> list[str]:
    """Return the kinds that users wait for."""
    return [name for name, kind in KINDS.items() if kind.is_awaited]


def kinds_counted_against(budget: Budget) -> list[str]:
    """Return the kinds whose jobs count against a budget."""
    return [name for name, kind in KINDS.items() if kind.budget is budget]


def dedupe_key(kind: str, user_id: int, recording_id: int | None, part: str = "") -> str:
    """Return what is unique among the active jobs: kind and recording (or user), and `part` of it if there is one.

    Without a recording the user is in the key, so that no user ever meets another user's job.
    """
    subject = f"user-{user_id}" if recording_id is None else f"recording-{recording_id}"
    return f"{kind}:{subject}:{part}" if part else f"{kind}:{subject}"


class JobState(StrEnum):
    """State of a job. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ChunkState(StrEnum):
    """State of one chunk of a job."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"


ACTIVE = (JobState.QUEUED, JobState.RUNNING)

MAX_CRASHES_WITHOUT_PROGRESS = 3
"""A job whose work horse dies this often without progress goes to quarantine: it is tried again alone."""

MAX_LOSSES_WITHOUT_PROGRESS = 10
"""The same for vanished workers. Their usual causes are deploys and power cuts, so the limit is higher."""

MAX_BLAME_ALONE = 4
"""In quarantine a death by a fault of the horse's own (SIGSEGV) counts 2, one by a kill from outside 1; then the job fails."""

MAX_LOSSES_ALONE = 10
"""Vanished workers in quarantine, after which the job fails too."""

CRASH_PAUSES_SECONDS = (2.0, 8.0, 32.0)
"""The pause after the first, second, and each further death without progress."""

MAX_IGNORED = 20
"""Options that an engine can ignore; there are fewer."""

_FIRST_RETRY_SECONDS = 2.0
_MAX_RETRY_SECONDS = 600.0


def retry_delay_seconds(attempt: int, asked_seconds: float | None = None) -> float:
    """Return the pause after failed attempt number `attempt` (1-based): 2 s, 8 s, 32 s ... at most 10 min.

    A provider's own Retry-After wins when it asks for longer.
    """
    pause = min(_FIRST_RETRY_SECONDS * 4.0 ** (attempt - 1), _MAX_RETRY_SECONDS)
    return max(pause, min(asked_seconds or 0.0, _MAX_RETRY_SECONDS))
