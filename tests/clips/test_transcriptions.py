"""POST /api/v1/transcriptions: the transcript of a file, of which nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from speakr.backends import Backends, get_backends
from speakr.db import db, release, unit_of_work
from speakr.domain.clips import ClipOptions
from speakr.domain.clock import now
from speakr.domain.errors import Busy, Invalid, NotFound, Unavailable
from speakr.domain.jobs import JobState
from speakr.domain.permissions import DEFAULT_SCOPES, Actor, Scope
from speakr.models import Clip, Job, JobBlob, Recording, UsageDay, User
from speakr.services.recordings import uploads
from speakr.services.speech import clips
from speakr.services.system import maintenance
from tests.clips.conftest import events_in
from tests.conftest import Person, multipart, wav
from tests.fakes import FakeTranscriber, MemoryJobNotifier

PATH = "/api/v1/transcriptions"


def send(person: Person, data: bytes | None = None, path: str = PATH, **fields: Any) -> Any:
    body, content_type = multipart(wav(1.0) if data is None else data, "clip.wav", fields)
    return person.post(path, data=body, headers={"Content-Type": content_type})


def actor_of(person: Person) -> Actor:
    return Actor(person.id, person.name, is_admin=False, scopes=DEFAULT_SCOPES)


def submit(person: Person, options: ClipOptions | None = None, data: bytes | None = None) -> int:
    with uploads.begin() as incoming:
        incoming.open()
        incoming.write(data or wav(1.0))
        return clips.submit(actor_of(person), incoming, options or ClipOptions())


def left_behind() -> dict[str, list[Any]]:
    release()
    return {
        "blobs": [key for prefix in ("audio", "pcm") for key, _ in get_backends().storage.keys(prefix)],
        "job_blobs": list(db.session.scalars(select(JobBlob.storage_key))),
        "clips": list(db.session.scalars(select(Clip.job_id))),
        "recordings": list(db.session.scalars(select(Recording.id))),
    }


NOTHING: dict[str, list[Any]] = {"blobs": [], "job_blobs": [], "clips": [], "recordings": []}


def test_the_answer_is_the_transcript_and_nothing_is_kept(
    alice: Person, inline: MemoryJobNotifier, backends: Backends
) -> None:
    answer = send(alice, words="true", initial_prompt="A secret prompt.")
    assert answer.status_code == 200, answer.json
    body = answer.json
    assert body["text"] == "heard 0.1-0.4 heard 0.5-0.9"
    assert (body["model"], body["speakers"], body["duration_seconds"]) == ("fake", [], 1.0)
    assert body["segments"][0]["speaker"] is None
    assert body["segments"][0]["confidence"] == 0.9
    assert body["segments"][0]["words"][0] == {
        "word": "heard",
        "start": 0.1,
        "end": 0.4,
        "probability": 0.9,
    }
    assert "initial_prompt" in body["ignored_options"]
    assert left_behind() == NOTHING
    job = db.session.scalars(select(Job)).one()
    assert (job.kind, job.state, job.options, job.plan) == ("clip", JobState.SUCCEEDED, {}, None)
    (usage,) = db.session.scalars(select(UsageDay.transcribed_seconds))
    assert usage == 1.0


def test_a_stream_has_the_segments_and_ends_with_the_result(
    alice: Person, inline: MemoryJobNotifier, backends: Backends
) -> None:
    answer = send(alice, stream="true")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    events = events_in(answer.data)
    assert [name for name, _ in events] == ["segment", "segment", "result"]
    assert events[0][1]["sentence"] == "heard 0.1-0.4"
    assert events[-1][1]["text"] == "heard 0.1-0.4 heard 0.5-0.9"
    assert left_behind() == NOTHING


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"language": "klingon"}, "language"),
        ({"diarize": "perhaps"}, "diarize"),
        ({"min_speakers": "0"}, "min_speakers"),
        ({"min_speakers": "5", "max_speakers": "2"}, "min_speakers"),
        ({"known_speaker_names": "Jane"}, "known_speaker_references"),
        ({"known_speaker_names": "Jane", "known_speaker_references": "http://x"}, "known_speaker_references"),
        (
            {"known_speaker_names": "Jane", "known_speaker_references": "data:audio/wav;base64,!"},
            "known_speaker_references",
        ),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_kept(
    alice: Person, inline: MemoryJobNotifier, fields: dict[str, str], field: str
) -> None:
    answer = send(alice, **fields)
    assert answer.status_code == 400, answer.data
    assert list(answer.json["errors"]) == [field]
    assert left_behind() == NOTHING


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("data", "code"), [(b"", "empty_file"), (b"no sound at all", "not_media")], ids=["empty", "text"]
)
def test_what_is_no_audio_is_refused_and_nothing_is_kept(
    alice: Person, inline: MemoryJobNotifier, data: bytes, code: str
) -> None:
    answer = send(alice, data=data)
    assert (answer.status_code, answer.json["code"]) == (400, code)
    assert left_behind() == NOTHING


def test_without_a_worker_the_request_is_busy_and_its_job_cancelled(
    alice: Person, backends: Backends
) -> None:
    answer = send(alice)
    assert (answer.status_code, answer.json["code"]) == (503, "busy")
    assert int(answer.headers["Retry-After"]) > 0
    assert db.session.scalars(select(Job.state)).all() == [JobState.CANCELLED]
    assert left_behind() == NOTHING


def test_a_full_queue_is_busy_at_once(alice: Person, bob: Person, backends: Backends) -> None:
    for _ in range(clips.MAX_WAITING_PER_WORKER * backends.settings.worker_count):
        submit(bob)
    answer = send(alice)
    assert (answer.status_code, answer.json["code"]) == (503, "busy")
    with pytest.raises(Busy):
        submit(alice)


def test_another_user_learns_nothing_of_a_clip(alice: Person, bob: Person, app: Any) -> None:
    job_id = submit(alice)
    for ask in (
        lambda: clips.wait(actor_of(bob), job_id, 0),
        lambda: list(clips.follow(actor_of(bob), job_id)),
        lambda: clips.cancel(actor_of(bob), job_id),
    ):
        with pytest.raises(NotFound):
            ask()
    assert clips.wait(actor_of(alice), job_id, 0) is None
    clips.cancel(actor_of(alice), job_id)
    with pytest.raises(Invalid, match="cancelled"):
        clips.wait(actor_of(alice), job_id, 0)
    assert left_behind() == NOTHING


def test_a_result_is_read_once_and_expires(
    alice: Person, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = submit(alice), submit(alice)
    work()
    found = clips.wait(actor_of(alice), first, 0)
    assert found is not None
    assert found.text.startswith("heard")
    with pytest.raises(NotFound):
        clips.wait(actor_of(alice), first, 0)
    with unit_of_work() as session:
        session.get_one(Clip, second).finished_at = now() - clips.KEEP_RESULT * 2
    monkeypatch.setattr(maintenance, "_next_clips", 0.0)
    maintenance.run_maintenance()
    with pytest.raises(NotFound):
        clips.wait(actor_of(alice), second, 0)


def test_a_failed_job_says_whether_to_try_again(
    alice: Person, work: Callable[[], None], transcriber: FakeTranscriber
) -> None:
    from speakr.domain.errors import ConnectorRejected

    def refuse(_: Any) -> None:
        raise ConnectorRejected("The key is wrong.")

    transcriber.before = refuse
    job_id = submit(alice)
    work()
    with pytest.raises(Unavailable) as caught:
        clips.wait(actor_of(alice), job_id, 0)
    assert caught.value.slug == "provider_rejected"
    assert not isinstance(caught.value, Busy)
    assert left_behind() == NOTHING
    again = alice.post(f"/api/v1/jobs/{job_id}/retry")
    assert (again.status_code, again.json["code"]) == (409, "job_not_repeatable")


def test_queued_clips_count_against_the_budget(alice: Person, app: Any) -> None:
    with unit_of_work() as session:
        session.get_one(User, alice.id).transcription_budget_seconds = 2
    submit(alice)
    answer = send(alice, data=wav(1.5))
    assert (answer.status_code, answer.json["code"]) == (403, "transcription_budget_exceeded")
    blobs = left_behind()["blobs"]
    assert len(blobs) == 1, "the refused file is deleted"


def test_a_range_of_a_recording_is_transcribed_and_the_recording_stays_as_it_was(
    alice: Person, bob: Person, upload: Callable[..., Any], work: Callable[[], None]
) -> None:
    recording_id = upload(alice, wav(3.0)).json["id"]
    work()
    before = alice.get(f"/api/v1/recordings/{recording_id}").json
    job_id = clips.submit_range(actor_of(alice), recording_id, 1.0, 2.5, ClipOptions())
    work()
    found = clips.wait(actor_of(alice), job_id, 0)
    assert found is not None
    assert found.duration_seconds == 1.5
    assert found.text == "heard 0.1-0.4 heard 0.5-0.9"
    assert alice.get(f"/api/v1/recordings/{recording_id}").json == before
    for start, end in ((-1.0, 2.0), (2.0, 2.0), (2.0, 9.0)):
        with pytest.raises(Invalid):
            clips.submit_range(actor_of(alice), recording_id, start, end, ClipOptions())
    with pytest.raises(NotFound):
        clips.submit_range(actor_of(bob), recording_id, 1.0, 2.0, ClipOptions())


def test_follow_yields_each_segment_once(alice: Person, work: Callable[[], None]) -> None:
    job_id = submit(alice)
    work()
    live = get_backends().live
    from speakr.live import of_job

    for message in live.read(of_job(job_id), "0-0", 0.0):
        live.publish(of_job(job_id), message.kind, message.data)  # as a second try of the chunk does
    found = [segment.text for segment in clips.follow(actor_of(alice), job_id)]
    assert found == ["heard 0.1-0.4", "heard 0.5-0.9"]


def test_deleting_a_user_deletes_queued_clips(alice: Person, make_person: Callable[..., Person]) -> None:
    submit(alice)
    admin = make_person("admin", is_admin=True, scopes=frozenset(Scope))
    answer = admin.delete(f"/api/v1/admin/users/{alice.id}")
    assert answer.status_code in {200, 204}, answer.data
    assert left_behind() == NOTHING
