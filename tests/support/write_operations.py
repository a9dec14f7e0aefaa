"""Operations that write the same rows: requests of an owner and an administrator, steps of workers, of the dispatcher
and of maintenance. Tests and `benchmarks/write_races.py` run them at the same time.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask

from speakr import conflicts
from speakr.db import db, unit_of_work
from speakr.domain.deliveries import Verdict
from speakr.domain.errors import ClaimLost, JobCancelled, TransientJobError
from speakr.domain.events import RecordingUpdated
from speakr.domain.jobs import JobKind
from speakr.domain.permissions import DEFAULT_SCOPES, Scope
from speakr.domain.recordings import RecordingStatus
from speakr.domain.transcript import Span
from speakr.models import (
    Folder,
    Recording,
    RecordingSpeaker,
    RecordingTag,
    Segment,
    Speaker,
    Tag,
    User,
    Webhook,
)
from speakr.services.accounts import tokens, users
from speakr.services.accounts.sealing import seal
from speakr.services.jobs import chunks, claims, queueing, recovery
from speakr.services.speech import transcripts
from speakr.services.system import system_settings
from speakr.services.webhooks import events
from speakr.services.webhooks.deliveries import claiming, sending
from speakr.services.webhooks.deliveries.sending import AttemptResult
from speakr.storage.base import new_key

_V1 = "/api/v1"
_EVENTS = ["recording.created", "recording.updated", "recording.deleted", "recording.transcription.completed"]
_SEGMENT = {"start": 0.0, "end": 1.0, "text": "new words", "speaker": "SPEAKER_00", "confidence": 0.9}


@dataclass(frozen=True)
class World:
    """The rows that operations write. Recording 0 has a queued transcription, 1 and 2 are complete."""

    app: Flask
    owner_id: int
    owner_token: str
    admin_token: str
    friend_id: int
    recordings: tuple[int, int, int]
    job: int
    tag: int
    other_tag: int
    folder: int
    speaker: int
    webhooks: tuple[int, int]

    def ask(self, method: str, path: str, body: Any = None, *, as_admin: bool = False) -> int:
        """Send a request; return the status of the response."""
        token = self.admin_token if as_admin else self.owner_token
        answer = self.app.test_client().open(
            _V1 + path, method=method, json=body, headers={"Authorization": f"Bearer {token}"}
        )
        answer.get_data()
        return int(answer.status_code)

    def of(self, number: int) -> str:
        """Return the path of one of the recordings."""
        return f"/recordings/{self.recordings[number]}"


def build(app: Flask) -> World:
    """Add a user with recordings and all that hangs on them, an administrator and another user."""
    name = secrets.token_hex(6)
    with unit_of_work() as session:
        system_settings.put("enable_folders", value=True)
        owner, friend = users.create(username=f"owner-{name}"), users.create(username=f"friend-{name}")
        admin = users.create(username=f"admin-{name}", is_admin=True)
        _, token = tokens.create(owner.id, scopes=DEFAULT_SCOPES)
        _, admin_token = tokens.create(admin.id, scopes=frozenset(Scope))
        folder, tag, other = (
            kind(user_id=owner.id, name=label) for kind, label in ((Folder, "F"), (Tag, "T"), (Tag, "U"))
        )
        speaker = Speaker(user_id=owner.id, name="Ann")
        hooks = [
            Webhook(
                user_id=owner.id, name="w", url="http://127.0.0.1:9/", events=_EVENTS, secret_sealed=seal("x")
            )
            for _ in range(2)
        ]
        session.add_all([folder, tag, other, speaker, *hooks])
        session.flush()
        rows = [_recording(owner, folder, number) for number in range(3)]
        session.add_all(rows)
        session.flush()
        for row in rows:
            session.add(RecordingTag(recording_id=row.id, tag_id=tag.id, position=1))
            session.add(
                RecordingSpeaker(recording_id=row.id, label="SPEAKER_00", name="Ann", speaker_id=speaker.id)
            )
            session.add_all(
                Segment(
                    recording_id=row.id, position=place, words=[], **(_SEGMENT | {"text": f"old {place}"})
                )
                for place in range(3)
            )
        job, _ = queueing.add(rows[0], JobKind.TRANSCRIBE)
        events.record(
            owner.id, RecordingUpdated(recording_id=rows[1].id, title="t", fields_changed=("title",))
        )
        first, second, third = (row.id for row in rows)
        return World(
            app,
            owner.id,
            token,
            admin_token,
            friend.id,
            (first, second, third),
            job.id,
            tag.id,
            other.id,
            folder.id,
            speaker.id,
            (hooks[0].id, hooks[1].id),
        )


def _recording(owner: User, folder: Folder, number: int) -> Recording:
    return Recording(
        user_id=owner.id,
        folder_id=folder.id,
        title=f"Meeting {number}",
        participants="Ann",
        original_filename="a.wav",
        mime_type="audio/wav",
        file_size=10,
        sha256=secrets.token_hex(32),
        storage_key=new_key("audio"),
        audio_duration=1.0,
        status=RecordingStatus.COMPLETED if number else RecordingStatus.PENDING,
        has_transcription=bool(number),
    )


def _claim(world: World) -> claims.Claim | None:
    with unit_of_work():
        return claims.claim(world.job, f"worker-{threading.get_ident()}.1")


def _transcribe(world: World) -> int:
    """Claim the job, transcribe its only chunk and store the transcript, as a worker does."""
    held = _claim(world)
    if held is None:
        return 409
    try:
        with unit_of_work():
            claims.report(held, "Decoding", 1)
        conflicts.in_unit(lambda: claims.cut(held, {"chunk_count": 1}, [[Span(0.0, 1.0)]]))
        with unit_of_work():
            claims.report(held, "Transcribing")
            chunk = chunks.claim_next(held.job_id, held.worker)
        if chunk is not None:
            conflicts.in_unit(lambda: chunks.finish(chunk, {"segments": []}))
        conflicts.in_unit(
            lambda: transcripts.store(
                held,
                [{**_SEGMENT, "words": [], "overlap": False}],
                language="en",
                engine="test",
                duration_seconds=1.0,
            )
        )
    except (ClaimLost, JobCancelled):
        return 410
    return 200


def _fail(world: World) -> int:
    held = _claim(world)
    if held is None:
        return 409
    try:
        conflicts.in_unit(lambda: claims.fail(held, TransientJobError("busy")))
    except (ClaimLost, JobCancelled):
        return 410
    return 200


def _die(world: World) -> int:
    held = _claim(world)
    if held is None:
        return 409
    recovery.horse_died(held.worker)
    return 200


def _recover(_: World) -> int:
    recovery.requeue_expired()
    recovery.notify_again()
    return 200


_one_dispatcher = threading.Lock()


def _dispatch(_: World) -> int:
    """Claim due deliveries and store their outcomes, as the dispatcher does."""
    with _one_dispatcher:
        with unit_of_work():
            claimed = claiming.claim_due([(waiting, 5) for waiting in claiming.webhooks_with_work()])
        results = [
            AttemptResult(
                delivery_id=one.delivery_id,
                webhook_id=one.webhook_id,
                claimed_until=one.claimed_until,
                verdict=Verdict.DELIVERED,
                response_status=200,
            )
            for one in claimed
        ]
        with unit_of_work():
            sending.settle(results)
    return 200


Operation = Callable[[World], int]

API: Mapping[str, Operation] = {
    "change title": lambda w: w.ask("PATCH", w.of(0), {"title": "New"}),
    "change folder": lambda w: w.ask("PATCH", w.of(1), {"folder_id": w.folder}),
    "delete": lambda w: w.ask("DELETE", w.of(0)),
    "delete another": lambda w: w.ask("DELETE", w.of(1)),
    "batch change": lambda w: w.ask(
        "PATCH",
        "/recordings/batch",
        {"recording_ids": w.recordings[::-1], "updates": {"is_inbox": False, "add_tag_ids": [w.other_tag]}},
    ),
    "batch delete": lambda w: w.ask("DELETE", "/recordings/batch", {"recording_ids": w.recordings[::-1]}),
    "batch transcribe": lambda w: w.ask(
        "POST", "/recordings/batch/transcribe", {"recording_ids": w.recordings[::-1]}
    ),
    "transcribe": lambda w: w.ask("POST", f"{w.of(0)}/transcribe", {}),
    "summarize": lambda w: w.ask("POST", f"{w.of(1)}/summarize", {}),
    "cancel job": lambda w: w.ask("POST", f"/jobs/{w.job}/cancel"),
    "correct": lambda w: w.ask("PATCH", f"{w.of(1)}/transcript/segments/0", {"text": "corrected words"}),
    "merge": lambda w: w.ask(
        "POST", "/recordings/merge", {"recording_ids": w.recordings[1:], "keep_originals": False}
    ),
    "cut": lambda w: w.ask("POST", f"{w.of(1)}/cut", {"at": 0.5}),
    "add tag": lambda w: w.ask("POST", f"{w.of(0)}/tags", {"tag_ids": [w.tag, w.other_tag]}),
    "replace tags": lambda w: w.ask("PUT", f"{w.of(1)}/tags", {"tag_ids": [w.tag, w.other_tag]}),
    "change tag": lambda w: w.ask("PATCH", f"/tags/{w.tag}", {"color": "#112233"}),
    "delete tag": lambda w: w.ask("DELETE", f"/tags/{w.tag}"),
    "delete folder": lambda w: w.ask("DELETE", f"/folders/{w.folder}"),
    "name speaker": lambda w: w.ask(
        "PUT", f"{w.of(1)}/speakers/assign", {"speaker_map": {"SPEAKER_00": "Ben"}}
    ),
    "rename speaker": lambda w: w.ask("PUT", f"/speakers/{w.speaker}", {"name": "Bea"}),
    "delete speaker": lambda w: w.ask("DELETE", f"/speakers/{w.speaker}"),
    "share": lambda w: w.ask("POST", f"{w.of(0)}/shares", {"user_id": w.friend_id}),
    "change webhook": lambda w: w.ask("PATCH", f"/webhooks/{w.webhooks[0]}", {"name": "x"}),
    "delete webhook": lambda w: w.ask("DELETE", f"/webhooks/{w.webhooks[0]}"),
    "test webhook": lambda w: w.ask("POST", f"/webhooks/{w.webhooks[0]}/test"),
    "deactivate user": lambda w: w.ask(
        "PATCH", f"/admin/users/{w.owner_id}", {"is_active": False}, as_admin=True
    ),
    "delete user": lambda w: w.ask("DELETE", f"/admin/users/{w.owner_id}", as_admin=True),
    "forget voices": lambda w: w.ask("DELETE", "/users/me/voices"),
}
"""Requests, by what they do."""

SYSTEM: Mapping[str, Operation] = {
    "worker: transcribe": _transcribe,
    "worker: fail": _fail,
    "worker: die": _die,
    "maintenance": _recover,
    "dispatcher": _dispatch,
}
"""What other processes do."""

OPERATIONS: Mapping[str, Operation] = {**API, **SYSTEM}


def race(world: World, names: tuple[str, ...]) -> list[tuple[str, int | BaseException]]:
    """Run operations at the same moment, one thread each; return each with its status or its exception."""
    start = threading.Barrier(len(names))
    answers: list[tuple[str, int | BaseException]] = []

    def act(name: str) -> None:
        with world.app.app_context():
            start.wait()
            try:
                answer: int | BaseException = OPERATIONS[name](world)
            except Exception as error:  # noqa: BLE001 - reported with the answers
                answer = error
            finally:
                db.session.remove()
        answers.append((name, answer))

    threads = [threading.Thread(target=act, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def is_wrong(answer: int | BaseException) -> bool:
    """Tell whether an answer is one that no user may see."""
    return isinstance(answer, BaseException) or answer >= 500
