"""Fetches that fail: which code, after how many requests, and that nothing is left behind."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from speakr.backends import connect, get_backends
from speakr.db import db, release, unit_of_work
from speakr.domain.jobs import JobState
from speakr.egress import guard
from speakr.jobs import runner
from speakr.models import Job, UnwantedBlob, Upload, UploadPart, User
from speakr.settings import Settings, SettingsError
from tests.conftest import Person
from tests.fakes import MemoryJobNotifier
from tests.fetches.answers import ETAG, a_file, cut_after, redirect, the_rest, without_length
from tests.fetches.conftest import AUDIO, FROM_URL, looked_at, opened, recordings_of
from tests.webhooks.receiver import Receiver, disconnect, drip, flood, hang, raw, reply

Fetched = Callable[..., dict[str, Any]]
MIB = 1024 * 1024
OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n"

# What is checked here is how answers are classified: the database does not matter.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def failure(found: dict[str, Any]) -> str:
    """Return the code of a failed upload, of which nothing may be left."""
    assert found["state"] == "failed", found
    release()
    assert db.session.scalars(select(UploadPart)).all() == []
    assert db.session.scalars(select(UnwantedBlob)).all() == []
    assert list(get_backends().storage.keys("audio")) == []
    return str(found["error"]["code"])


@on_sqlite
@pytest.mark.parametrize(
    ("answer", "code", "requests"),
    [
        (reply(404, b"SECRET BODY"), "not_found", 1),
        (reply(410), "not_found", 1),
        (reply(403, b"SECRET BODY"), "http_error", 1),
        (reply(204), "http_error", 1),
        (reply(206, AUDIO, {"Content-Range": "bytes 0-9/10"}), "http_error", 1),
        (reply(302), "http_error", 1),
        (reply(500, b"SECRET BODY"), "http_error", 3),
        (reply(429, b"", {"Retry-After": "1"}), "http_error", 3),
        (reply(200, b"<p>SECRET BODY", {"Content-Type": "text/html; charset=utf-8"}), "unsupported_media", 1),
        (reply(200, gzip.compress(AUDIO), {"Content-Encoding": "gzip"}), "unsupported_encoding", 1),
        (reply(200, b""), "empty_file", 1),
        (without_length(b""), "empty_file", 1),
        (reply(200, b"SECRET BODY, which is no audio at all"), "not_media", 1),
        (cut_after(AUDIO, 100), "connection_lost", 3),
        (disconnect(), "connection_lost", 6),  # aiohttp asks twice
        (raw(b"SECRET not HTTP\r\n\r\n"), "http_error", 3),
        (raw(OK_HEAD + b"Content-Length: nine\r\n\r\n" + AUDIO), "http_error", 3),
        (raw(OK_HEAD + b"X-Huge: " + b"x" * 200_000 + b"\r\n\r\n"), "http_error", 3),
        (raw(OK_HEAD + b"X-Many: x\r\n" * 20_000 + b"\r\n"), "http_error", 3),
    ],
)
def test_each_failure_has_its_code(
    alice: Person, remote: Receiver, fetched: Fetched, answer: Any, code: str, requests: int
) -> None:
    remote.script("/x.wav", answer)
    found = fetched(alice, remote.url("/x.wav"))
    assert failure(found) == code
    assert len(remote.requests("/x.wav")) == requests
    assert "SECRET" not in str(found)
    job = alice.get("/api/v1/jobs").json["jobs"][0]
    assert (job["kind"], job["state"], job["error_code"], job["recording_id"]) == (
        "fetch",
        "failed",
        code,
        None,
    )
    assert "SECRET" not in str(job)


@on_sqlite
@pytest.mark.parametrize("tuned", [{"max_file_size_mb": 1, "max_audio_only_video_size_mb": 1}], indirect=True)
@pytest.mark.parametrize(
    "answer",
    [
        raw(OK_HEAD + b"Content-Length: 1048577\r\n\r\n", close=False),
        flood(OK_HEAD + b"Connection: close\r\n\r\n", (b"x" * 65_536 for _ in range(10_000))),
        flood(
            OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
            (b"10000\r\n%s\r\n" % (b"x" * 65_536) for _ in range(10_000)),
        ),
    ],
    ids=["by its length", "without a length", "in chunks"],
)
def test_a_file_over_the_limit_is_not_read_to_its_end(
    alice: Person, remote: Receiver, fetched: Fetched, answer: Any
) -> None:
    remote.script("/x.wav", answer)
    found = fetched(alice, remote.url("/x.wav"))
    assert failure(found) == "too_large"
    assert found["received_bytes"] <= MIB
    assert len(remote.requests()) == 1


@on_sqlite
def test_a_length_that_is_too_short_is_an_error(alice: Person, remote: Receiver, fetched: Fetched) -> None:
    remote.script("/x.wav", raw(OK_HEAD + b"Content-Length: 100\r\n\r\n" + AUDIO))
    assert failure(fetched(alice, remote.url("/x.wav"))) == "http_error"


@on_sqlite
@pytest.mark.parametrize("tuned", [{"fetch_idle_seconds": 0.4}], indirect=True)
@pytest.mark.parametrize(
    "answer",
    [hang(), raw(OK_HEAD + b"Content-Length: 1000\r\n\r\nRIFF", close=False)],
    ids=["no head", "no body"],
)
def test_a_silent_server_is_left_and_tried_again(
    alice: Person, remote: Receiver, fetched: Fetched, answer: Any
) -> None:
    remote.script("/x.wav", answer)
    assert failure(fetched(alice, remote.url("/x.wav"))) == "timed_out"
    assert len(remote.requests()) == 3


@on_sqlite
@pytest.mark.parametrize("tuned", [{"fetch_timeout_seconds": 1.0}], indirect=True)
def test_a_server_that_drips_is_left_after_the_total_time(
    alice: Person, remote: Receiver, fetched: Fetched
) -> None:
    remote.script("/x.wav", drip(OK_HEAD + b"Content-Length: 100000\r\n\r\nRIFF"))
    assert failure(fetched(alice, remote.url("/x.wav"))) == "timed_out"
    assert len(remote.requests()) == 1


# -- addresses


@on_sqlite
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.com/x.wav", "invalid_url"),
        ("file:///etc/passwd", "invalid_url"),
        ("http://user:password@example.com/x", "invalid_url"),
        ("http://example.com:22/x", "invalid_url"),
        ("http://127.1/x", "invalid_url"),
        ("http://169.254.169.254/latest/meta-data", "address_refused"),
        ("http://10.0.0.1/x", "address_refused"),
        ("http://[::1]/x", "address_refused"),
        ("http://[::ffff:127.0.0.1]/x", "address_refused"),
        ("not a url", "invalid_url"),
        ("", "invalid"),
    ],
)
@pytest.mark.parametrize("tuned", [{"fetch_allowed_hosts": ""}], indirect=True)
def test_a_closed_address_is_refused_at_once(alice: Person, url: str, code: str) -> None:
    answer = alice.post(FROM_URL, json={"url": url})
    assert (answer.status_code, answer.json["code"]) == (400, code)
    assert "url" in answer.json["errors"]
    assert db.session.scalars(select(Upload)).all() == []


@on_sqlite
@pytest.mark.parametrize("tuned", [{"fetch_allowed_hosts": ""}], indirect=True)
def test_a_name_that_leads_to_a_private_address_is_refused_by_the_worker(
    alice: Person, remote: Receiver, fetched: Fetched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "system_lookup", lambda _host, _port: ["10.1.2.3"])
    found = fetched(alice, f"http://localhost:{remote.port}/x.wav")
    assert failure(found) == "address_refused"
    assert found["error"]["error"] == guard.UNUSABLE
    assert remote.requests() == []


@on_sqlite
@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "address_refused"),
        ("http://10.0.0.1/", "address_refused"),
        ("http://[fd00:ec2::254]/", "address_refused"),
        ("//192.168.1.1/", "address_refused"),
        ("ftp://example.com/x", "invalid_url"),
        ("http://a:b@127.0.0.1/x", "invalid_url"),
        ("http://[broken", "http_error"),
    ],
)
def test_each_redirect_is_judged(
    alice: Person, remote: Receiver, fetched: Fetched, target: str, code: str
) -> None:
    remote.script("/a", redirect("/b"))
    remote.script("/b", redirect(target))
    assert failure(fetched(alice, remote.url("/a"))) == code


@on_sqlite
def test_a_chain_may_have_five_redirects(alice: Person, remote: Receiver, fetched: Fetched) -> None:
    for number in range(6):
        remote.script(f"/{number}", redirect(f"/{number + 1}"))
    remote.script("/6", a_file(AUDIO))
    assert fetched(alice, remote.url("/1"))["state"] == "completed"
    remote.forget()
    assert fetched(alice, remote.url("/0"))["error"]["code"] == "too_many_redirects"
    assert [request.path for request in remote.requests()] == ["/0", "/1", "/2", "/3", "/4", "/5"]


@on_sqlite
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "x"},
        {"Range": "bytes=0-"},
        {"Authorization": "a\r\nX: b"},
        {"Cookie": "a", "cookie": "b"},
        {"Cookie": "é"},
    ],
)
def test_other_headers_are_refused(alice: Person, headers: dict[str, str]) -> None:
    answer = alice.post(FROM_URL, json={"url": "https://example.com/x", "headers": headers})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert "headers" in answer.json["errors"]


@on_sqlite
@pytest.mark.parametrize("tuned", [{"fetches_per_user": 0}], indirect=True)
def test_an_administrator_can_turn_fetching_off(alice: Person) -> None:
    answer = alice.post(FROM_URL, json={"url": "https://example.com/x"})
    assert (answer.status_code, answer.json["code"]) == (403, "fetching_disabled")


def test_a_wrong_allow_list_stops_the_start(settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"SPEAKR_FETCH_HOST_ALLOWLIST: .* looks like a pattern"):
        connect(replace(settings, fetch_allowed_hosts="*.lan"))


# -- ending early, and beginning again


def test_deleting_a_waiting_upload_cancels_its_job(
    alice: Person, bob: Person, remote: Receiver, fetch_all: Callable[[], None]
) -> None:
    upload_id = opened(alice, remote.url("/x.wav"))
    assert bob.delete(f"/api/v1/uploads/{upload_id}").status_code == 404
    assert alice.delete(f"/api/v1/uploads/{upload_id}").status_code == 204
    assert alice.get(f"/api/v1/uploads/{upload_id}").status_code == 404
    fetch_all()
    assert remote.requests() == []
    assert [job["state"] for job in alice.get("/api/v1/jobs").json["jobs"]] == ["cancelled"]


def test_a_cancelled_job_ends_its_upload_and_a_retried_one_begins_anew(
    alice: Person, remote: Receiver, fetch_all: Callable[[], None]
) -> None:
    remote.script("/x.wav", a_file(AUDIO))
    upload_id = opened(alice, remote.url("/x.wav"))
    (job,) = alice.get("/api/v1/jobs").json["jobs"]
    assert alice.post(f"/api/v1/jobs/{job['id']}/cancel").status_code == 200
    assert looked_at(alice, upload_id)["error"]["code"] == "cancelled"
    assert alice.post(f"/api/v1/jobs/{job['id']}/retry").status_code == 202
    assert looked_at(alice, upload_id)["state"] == "queued"
    fetch_all()
    found = looked_at(alice, upload_id)
    assert (found["state"], found["error"]) == ("completed", None)
    again = alice.post(f"/api/v1/jobs/{job['id']}/retry")
    assert (again.status_code, again.json["code"]) == (409, "upload_finished")
    assert len(recordings_of(alice)) == 1


def test_a_failed_fetch_can_be_retried(
    alice: Person, remote: Receiver, fetch_all: Callable[[], None]
) -> None:
    remote.script("/x.wav", cut_after(AUDIO, 1000, ETag=ETAG), reply(404))
    upload_id = opened(alice, remote.url("/x.wav"))
    fetch_all()
    assert failure(looked_at(alice, upload_id)) == "not_found"
    remote.script("/x.wav", the_rest(AUDIO, 1000), a_file(AUDIO))
    (job,) = alice.get("/api/v1/jobs").json["jobs"]
    assert alice.post(f"/api/v1/jobs/{job['id']}/retry").status_code == 202
    remote.script("/x.wav", a_file(AUDIO))
    fetch_all()
    assert looked_at(alice, upload_id)["state"] == "completed"
    assert "range" not in remote.requests("/x.wav")[-1].headers


def test_an_upload_that_is_deleted_while_it_is_fetched_leaves_nothing(
    alice: Person, remote: Receiver, fetch_all: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from speakr.jobs import fetch

    upload_id = opened(alice, remote.url("/x.wav"))
    monkeypatch.setattr(fetch, "_REPORT_EVERY_SECONDS", 0.0)
    remote.script("/x.wav", drip(OK_HEAD + b"Content-Length: 100000\r\n\r\n" + AUDIO[:1000]))
    report = fetch._report
    reports: list[int] = []

    def delete_first(*arguments: Any) -> None:
        reports.append(1)
        if len(reports) == 3:
            release()
            assert looked_at(alice, upload_id)["state"] == "fetching"
            assert alice.delete(f"/api/v1/uploads/{upload_id}").status_code == 204
        report(*arguments)

    monkeypatch.setattr(fetch, "_report", delete_first)
    fetch_all()
    release()
    assert [job["state"] for job in alice.get("/api/v1/jobs").json["jobs"]] == ["cancelled"]
    assert db.session.scalars(select(UploadPart)).all() == []
    assert db.session.scalars(select(UnwantedBlob)).all() == []
    assert recordings_of(alice) == []


def test_tus_cannot_write_to_a_fetched_upload(alice: Person, remote: Receiver) -> None:
    upload_id = opened(alice, remote.url("/x.wav"))
    answer = alice.patch(
        f"/api/v1/uploads/{upload_id}", data=b"RIFF", content_type="application/offset+octet-stream",
        headers={"Upload-Offset": "0"},
    )  # fmt: skip
    assert (answer.status_code, answer.json["code"]) == (409, "upload_kind_mismatch")
    assert looked_at(alice, upload_id)["state"] == "queued"


def test_a_disabled_user_gets_no_recording(
    alice: Person, remote: Receiver, fetch_all: Callable[[], None]
) -> None:
    remote.script("/x.wav", a_file(AUDIO))
    upload_id = opened(alice, remote.url("/x.wav"))
    with unit_of_work() as session:
        session.get_one(User, alice.id).is_active = False
    fetch_all()
    release()
    upload = db.session.get_one(Upload, upload_id)
    assert (upload.state.value, (upload.error or {})["code"]) == ("failed", "user_disabled")
    assert remote.requests() == []


@pytest.mark.parametrize("tuned", [{"fetches_per_user": 1, "worker_count": 3}], indirect=True)
def test_a_second_fetch_of_a_user_waits_for_the_first(
    alice: Person, bob: Person, remote: Receiver, notifier: MemoryJobNotifier, fetch_all: Callable[[], None]
) -> None:
    remote.script("/x.wav", a_file(AUDIO))
    first, second, third = (
        opened(alice, remote.url("/x.wav")),
        opened(alice, remote.url("/x.wav")),
        opened(bob, remote.url("/x.wav")),
    )
    with unit_of_work() as session:  # as it stands while a worker is at the first one
        session.execute(
            update(Upload)
            .where(Upload.id == first)
            .values(state="fetching", held_until=session.get_one(Upload, first).expires_at)
        )
    jobs = {row.user_id: row.id for row in db.session.execute(select(Job.user_id, Job.id).order_by(Job.id))}
    runner.run(jobs[alice.id])
    runner.run(jobs[bob.id])
    release()
    waiting = db.session.get_one(Job, jobs[alice.id])
    assert (waiting.state, waiting.attempts, waiting.error_code) == (JobState.QUEUED, 0, "fetch_slots_taken")
    assert (looked_at(alice, second)["state"], looked_at(alice, second)["error"]) == ("queued", None)
    assert looked_at(bob, third)["state"] == "completed"
    with unit_of_work() as session:
        session.execute(update(Upload).where(Upload.id == first).values(held_until=None))
    fetch_all()
    assert {looked_at(alice, upload)["state"] for upload in (first, second)} == {"completed"}


@pytest.mark.parametrize("tuned", [{"fetches_per_user": 5, "worker_count": 2}], indirect=True)
def test_one_worker_stays_free_of_fetches(alice: Person, bob: Person, remote: Receiver) -> None:
    first, second = opened(alice, remote.url("/x.wav")), opened(bob, remote.url("/x.wav"))
    with unit_of_work() as session:
        session.execute(
            update(Upload)
            .where(Upload.id == first)
            .values(state="fetching", held_until=session.get_one(Upload, first).expires_at)
        )
    runner.run(db.session.scalars(select(Job.id).where(Job.user_id == bob.id)).one())
    assert looked_at(bob, second)["state"] == "queued"
    assert remote.requests() == []
