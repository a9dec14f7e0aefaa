"""TOY: a kind of job that is about no recording. This module and one row are all there is to it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from speakr.backends import get_backends
from speakr.db import unit_of_work
from speakr.domain.errors import ConnectorUnavailable, PermanentJobError
from speakr.domain.events import EventData, EventType
from speakr.domain.jobs import Kind, Queue, Subject
from speakr.models import Job
from speakr.services.jobs import claims
from speakr.services.jobs.kinds import Steps
from speakr.services.webhooks import events


@dataclass(frozen=True, kw_only=True)
class ToyFailed(EventData):
    type: ClassVar[EventType] = (
        EventType.WEBHOOK_TEST
    )  # the list of types is closed; a real kind adds its own
    toy_error: str


def run(held: claims.Claim) -> None:
    with unit_of_work():
        key = claims.reserve_blob(held, "pcm")
        claims.report(held, "Playing", 50)
    sink = get_backends().storage.create(key)
    sink.write(b"toy")
    sink.commit()
    if "fails" in held.options:
        raise {"for good": PermanentJobError, "for now": ConnectorUnavailable}[held.options["fails"]](
            "broken"
        )
    if (
        "horses" in held.options
    ):  # a folder: each horse leaves its number there, and the first one goes no further
        folder = Path(held.options["horses"])
        (folder / str(os.getpid())).touch()
        while len(list(folder.iterdir())) == 1:
            time.sleep(0.05)
    with unit_of_work():
        claims.succeed(held)


def _fail(job: Job) -> None:
    events.record(job.user_id, ToyFailed(toy_error=job.error_message or ""))


STEPS = Steps(on_failed=_fail)
ROW = Kind(
    handler="tests.jobs.toy_kind:run", steps="tests.jobs.toy_kind:STEPS",
    queue=Queue.LANGUAGE, subject=Subject.NOTHING,
)  # fmt: skip
