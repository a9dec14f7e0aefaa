"""Uploads from a URL: what users see, on both databases."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from speakr.backends import get_backends
from speakr.db import db, release, unit_of_work
from speakr.models import Job, Recording, UnwantedBlob, UploadPart, UploadSource, User
from tests.conftest import Person, wav
from tests.fetches.answers import ETAG, a_file, cut_after, redirect, the_rest, without_length
from tests.fetches.conftest import AUDIO, FROM_URL, looked_at, opened, recordings_of
from tests.webhooks.receiver import Receiver, reply

HALF = len(AUDIO) // 2
Fetched = Callable[..., dict[str, Any]]


def stored(recording_id: int) -> Recording:
    release()
    return db.session.get_one(Recording, recording_id)


def blob_keys() -> set[str]:
    return {key for key, _ in get_backends().storage.keys("audio")}


def nothing_left() -> None:
    """Check that neither bytes nor rows of bytes are left of a fetch that has failed."""
    release()
    assert db.session.scalars(select(UploadPart)).all() == []
    assert db.session.scalars(select(UnwantedBlob)).all() == []
    assert blob_keys() == set()


def test_a_file_becomes_a_recording_with_the_given_fields(
    alice: Person, remote: Receiver, fetched: Fetched
) -> None:
    remote.script("/files/talk.wav", a_file(AUDIO))
    tag = alice.post("/api/v1/tags", json={"name": "Talks"}).json["id"]
    found = fetched(
        alice, remote.url("/files/talk.wav"), title="A talk", notes="Grüße", language="de", tag_ids=[tag],
        meeting_date="2024-01-15T09:00:00Z", min_speakers=2, prompt_variables={"a": "b"},
    )  # fmt: skip
    assert (found["state"], found["error"], found["filename"]) == ("completed", None, "talk.wav")
    assert (found["size_bytes"], found["received_bytes"]) == (len(AUDIO), len(AUDIO))
    (recording,) = recordings_of(alice)
    assert recording["id"] == found["recording_id"]
    row = stored(recording["id"])
    assert (row.title, row.notes, row.original_filename) == ("A talk", "Grüße", "talk.wav")
    assert row.sha256 == hashlib.sha256(AUDIO).hexdigest()
    assert (row.hints["language"], row.hints["min_speakers"]) == ("de", 2)
    assert row.hints["prompt_variables"] == {"a": "b"}
    assert row.meeting_date.isoformat() == "2024-01-15T09:00:00+00:00"
    assert [tag["name"] for tag in recording["tags"]] == ["Talks"]
    assert blob_keys() == {row.storage_key}
    assert db.session.scalars(select(UploadPart)).all() == []


def test_the_answer_is_an_upload_that_waits(alice: Person, bob: Person, remote: Receiver) -> None:
    answer = alice.post(FROM_URL, json={"url": remote.url("/a%20b.mp3?key=secret")})
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/uploads/{answer.json['id']}"
    assert (answer.json["state"], answer.json["filename"]) == ("queued", "a b.mp3")
    assert (answer.json["size_bytes"], answer.json["received_bytes"]) == (None, 0)
    assert answer.json["recording_id"] is None
    assert looked_at(alice, answer.json["id"]) == answer.json
    assert bob.get(f"/api/v1/uploads/{answer.json['id']}").status_code == 404
    assert remote.requests() == []


def test_the_address_and_its_headers_are_stored_encrypted_until_the_file_is_there(
    alice: Person, remote: Receiver, fetch_all: Callable[[], None]
) -> None:
    remote.script("/x?key=very-secret", a_file(AUDIO))
    opened(alice, remote.url("/x?key=very-secret"), headers={"authorization": "Bearer also-secret"})
    source = db.session.scalars(select(UploadSource)).one()
    assert source.sealed_request
    assert "secret" not in repr([source.sealed_request, source.form])
    fetch_all()
    release()
    assert db.session.scalars(select(UploadSource.sealed_request)).one() is None
    assert len(recordings_of(alice)) == 1


def test_headers_are_sent_to_the_server_of_the_file(
    alice: Person, remote: Receiver, fetched: Fetched
) -> None:
    remote.script("/x.wav", a_file(AUDIO))
    headers = {"authorization": "Bearer abc", "X-API-Key": "k"}
    assert fetched(alice, remote.url("/x.wav"), headers=headers)["state"] == "completed"
    (request,) = remote.requests("/x.wav")
    assert request.headers["authorization"] == "Bearer abc"
    assert request.headers["x-api-key"] == "k"
    assert request.headers["accept-encoding"] == "identity"


def test_a_same_origin_redirect_keeps_headers_and_another_origin_loses_them(
    alice: Person, remote: Receiver, other: Receiver, fetched: Fetched
) -> None:
    remote.script("/a", redirect("/b", 301))
    remote.script("/b", redirect(other.url("/c"), 307))
    other.script("/c", redirect(remote.url("/d.wav"), 308))
    remote.script("/d.wav", a_file(AUDIO))
    found = fetched(alice, remote.url("/a"), headers={"Authorization": "Bearer abc", "Cookie": "a=b"})
    assert (found["state"], found["error"]) == ("completed", None)
    sent = {request.path: request.headers.get("authorization") for request in remote.requests()}
    sent |= {request.path: request.headers.get("authorization") for request in other.requests()}
    assert sent == {"/a": "Bearer abc", "/b": "Bearer abc", "/c": None, "/d.wav": None}
    assert "cookie" not in remote.requests("/d.wav")[0].headers
    assert found["filename"] == "d.wav"


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"Content-Disposition": 'attachment; filename="Board meeting.wav"'}, "Board meeting.wav"),
        ({"Content-Disposition": "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe.wav"}, "Grüße.wav"),
        ({"Content-Disposition": 'attachment; filename="../../etc/passwd"'}, "passwd"),
        ({"Content-Disposition": "attachment; filename=="}, "in path.wav"),
        ({}, "in path.wav"),
    ],
)
def test_the_file_is_named_by_its_server(
    alice: Person, remote: Receiver, fetched: Fetched, headers: dict[str, str], name: str
) -> None:
    remote.script("/in%20path.wav", reply(200, AUDIO, headers))
    found = fetched(alice, remote.url("/in%20path.wav"))
    assert found["filename"] == name
    assert stored(found["recording_id"]).original_filename == name


def test_a_given_name_counts_more_than_that_of_the_server(
    alice: Person, remote: Receiver, fetched: Fetched
) -> None:
    remote.script("/x", a_file(AUDIO, Content_Disposition='attachment; filename="theirs.wav"'))
    assert fetched(alice, remote.url("/x"), filename="mine.wav")["filename"] == "mine.wav"


def test_a_file_without_a_length_is_read_to_the_end(
    alice: Person, remote: Receiver, fetched: Fetched
) -> None:
    remote.script("/x.wav", without_length(AUDIO))
    found = fetched(alice, remote.url("/x.wav"))
    assert (found["state"], found["size_bytes"]) == ("completed", len(AUDIO))


def test_a_cut_connection_is_followed_by_a_range_request(
    alice: Person, remote: Receiver, fetched: Fetched
) -> None:
    remote.script("/x.wav", cut_after(AUDIO, HALF, ETag=ETAG), the_rest(AUDIO, HALF, ETag=ETAG))
    found = fetched(alice, remote.url("/x.wav"))
    assert (found["state"], found["error"]) == ("completed", None)
    first, second = remote.requests("/x.wav")
    assert "range" not in first.headers
    assert (second.headers["range"], second.headers["if-range"]) == (f"bytes={HALF}-", ETAG)
    assert stored(found["recording_id"]).sha256 == hashlib.sha256(AUDIO).hexdigest()
    assert len(recordings_of(alice)) == 1


def test_a_connection_that_brought_much_is_followed_by_another_one_at_once(
    alice: Person, remote: Receiver, fetched: Fetched
) -> None:
    data, sent = wav(70.0), 1_500_000
    remote.script(
        "/x.wav", cut_after(data, sent, Last_Modified="Mon, 05 Jan 2026 10:00:00 GMT"), the_rest(data, sent)
    )
    found = fetched(alice, remote.url("/x.wav"))
    assert (found["state"], found["error"]) == ("completed", None)
    assert remote.requests("/x.wav")[1].headers["if-range"] == "Mon, 05 Jan 2026 10:00:00 GMT"
    assert stored(found["recording_id"]).sha256 == hashlib.sha256(data).hexdigest()
    assert db.session.scalars(select(Job.attempts).where(Job.kind == "fetch")).one() == 0


@pytest.mark.parametrize(
    "answer",
    [
        a_file(AUDIO, ETag=ETAG),  # no ranges here
        a_file(AUDIO, ETag='"two"'),  # the file has changed
    ],
)
def test_a_server_that_sends_the_whole_file_again_starts_from_zero(
    alice: Person, remote: Receiver, fetched: Fetched, answer: Any
) -> None:
    remote.script("/x.wav", cut_after(AUDIO[::-1], HALF, ETag=ETAG), answer)
    found = fetched(alice, remote.url("/x.wav"))
    assert (found["state"], found["error"]) == ("completed", None)
    assert stored(found["recording_id"]).sha256 == hashlib.sha256(AUDIO).hexdigest()
    assert len(blob_keys()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        reply(206, AUDIO[HALF - 10 :], {"Content-Range": f"bytes {HALF - 10}-{len(AUDIO) - 1}/{len(AUDIO)}"}),
        reply(206, AUDIO[HALF:], {"Content-Range": "bytes */*"}),
        reply(206, AUDIO[HALF:], {}),
        the_rest(AUDIO, HALF, ETag='"two"'),
        reply(416, b"", {"Content-Range": "bytes */10"}),
    ],
    ids=["other start", "unknown", "no range", "other file", "unsatisfiable"],
)
def test_a_wrong_partial_answer_is_not_used(
    alice: Person, remote: Receiver, fetched: Fetched, wrong: Any
) -> None:
    remote.script("/x.wav", cut_after(AUDIO, HALF, ETag=ETAG), wrong, a_file(AUDIO))
    found = fetched(alice, remote.url("/x.wav"))
    assert (found["state"], found["error"]) == ("completed", None)
    assert "range" not in remote.requests("/x.wav")[2].headers
    assert stored(found["recording_id"]).sha256 == hashlib.sha256(AUDIO).hexdigest()


def test_without_a_strong_validator_no_range_is_asked_for(
    alice: Person, remote: Receiver, fetched: Fetched
) -> None:
    remote.script("/x.wav", cut_after(AUDIO, HALF, ETag='W/"weak"'), a_file(AUDIO))
    assert fetched(alice, remote.url("/x.wav"))["state"] == "completed"
    assert all("range" not in request.headers for request in remote.requests("/x.wav"))


def test_the_same_key_fetches_once(alice: Person, remote: Receiver, fetch_all: Callable[[], None]) -> None:
    remote.script("/x.wav", a_file(AUDIO))
    body, key = {"url": remote.url("/x.wav")}, {"Idempotency-Key": "once"}
    first = alice.post(FROM_URL, json=body, headers=key)
    second = alice.post(FROM_URL, json=body, headers=key)
    assert (first.json, second.status_code) == (second.json, 202)
    assert second.headers["Idempotency-Replayed"] == "true"
    fetch_all()
    assert len(recordings_of(alice)) == 1
    other = alice.post(FROM_URL, json={"url": remote.url("/y.wav")}, headers=key)
    assert (other.status_code, other.json["code"]) == (400, "idempotency_key_reused")


def test_a_quota_is_met_before_and_after_the_fetch(alice: Person, remote: Receiver, fetched: Fetched) -> None:
    remote.script("/x.wav", a_file(AUDIO))
    with unit_of_work() as session:
        session.get_one(User, alice.id).storage_quota_bytes = len(AUDIO) - 1
    found = fetched(alice, remote.url("/x.wav"))
    assert (found["state"], found["error"]["code"]) == ("failed", "storage_quota_exceeded")
    nothing_left()
    with unit_of_work() as session:
        session.get_one(User, alice.id).storage_quota_bytes = 0
    answer = alice.post(FROM_URL, json={"url": remote.url("/x.wav")})
    assert (answer.status_code, answer.json["code"]) == (403, "storage_quota_exceeded")


def test_the_same_bytes_are_noticed_as_with_other_uploads(
    alice: Person, remote: Receiver, fetched: Fetched, upload: Callable[..., Any]
) -> None:
    remote.script("/x.wav", a_file(AUDIO))
    found = fetched(alice, remote.url("/x.wav"))
    again = upload(alice, AUDIO).json
    assert again["duplicate_warning"]["existing_recording_id"] == found["recording_id"]


@pytest.mark.parametrize("tuned", [{"max_open_uploads": 2}], indirect=True)
def test_open_fetches_count_as_open_uploads(alice: Person, bob: Person, remote: Receiver) -> None:
    for _ in range(2):
        opened(alice, remote.url("/x.wav"))
    answer = alice.post(FROM_URL, json={"url": remote.url("/x.wav")})
    assert (answer.status_code, answer.json["code"]) == (409, "too_many_uploads")
    opened(bob, remote.url("/x.wav"))


def test_each_tenant_gets_their_own_file(
    alice: Person, bob: Person, remote: Receiver, fetch_all: Callable[[], None]
) -> None:
    theirs = {
        person.id: wav(1.0, frequency=frequency) for person, frequency in ((alice, 300.0), (bob, 400.0))
    }
    uploads = {}
    for person in (alice, bob):
        remote.script(f"/{person.name}.wav", a_file(theirs[person.id]))
        uploads[person.id] = opened(person, remote.url(f"/{person.name}.wav"))
    fetch_all()
    for person, other in ((alice, bob), (bob, alice)):
        (recording,) = recordings_of(person)
        assert looked_at(person, uploads[person.id])["recording_id"] == recording["id"]
        assert stored(recording["id"]).sha256 == hashlib.sha256(theirs[person.id]).hexdigest()
        assert other.get(f"/api/v1/uploads/{uploads[person.id]}").status_code == 404
        jobs = [job["kind"] for job in person.get("/api/v1/jobs").json["jobs"]]
        assert sorted(jobs) == ["fetch", "transcribe"]
    assert db.session.scalars(select(Job.user_id).where(Job.kind == "fetch").order_by(Job.id)).all() == [
        alice.id,
        bob.id,
    ]
