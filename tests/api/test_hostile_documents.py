"""Hostile forms, names and templates: no input becomes a header, a placeholder or a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from speakr.db import unit_of_work
from speakr.domain.clock import now
from speakr.models import CalendarEvent, Recording
from tests.api.hostile import ATTACK, WRONG_DATES
from tests.api.talk import TALK, with_transcript
from tests.conftest import Person, multipart, wav
from tests.matrix.world import everything_stored

Upload = Callable[..., Any]


@pytest.fixture
def settings(settings: Any) -> Any:
    return replace(settings, enable_folders=True)


# -- uploads

LENIENT = (
    *("min_speakers", "max_speakers", "tag_id", "tag_ids[0]", "folder_id", "file_last_modified"),
    *("keep_audio_only", "prompt_variables"),
)
"""Documented: invalid values count as absent there."""

UNUSABLE = (
    dict.fromkeys(LENIENT, "-1"),
    {**dict.fromkeys(LENIENT, str(2**63)), "prompt_variables": '{"a":' * 9_000},
    {**dict.fromkeys(LENIENT, ATTACK), "file_last_modified": "1e400"},
    {**dict.fromkeys(LENIENT, "9" * 9_000), "file_last_modified": "nan", "prompt_variables": '{"a": [1]}'},
)


def test_fields_of_an_upload_that_count_as_absent(alice: Person, upload: Upload) -> None:
    for fields in UNUSABLE:
        made = upload(alice, wav(0.1), **fields)
        assert made.status_code == 202, fields["tag_id"][:20]
        found = alice.get(f"/api/v1/recordings/{made.json['id']}").json
        assert (found["tags"], found["folder_id"], found["keep_audio_only"]) == ([], None, False)


DASHES = b"--a-boundary-of-the-tests"
FIELD = DASHES + b'\r\nContent-Disposition: form-data; name="title"\r\n\r\n'
BODY, FORM = multipart(wav(0.1), "a.wav", {})
FORMS = {
    "no end": BODY[:-10],
    "nothing": b"",
    "another boundary": BODY.replace(b"a-boundary", b"b-boundary"),
    "no name": BODY.replace(b'; name="file"', b""),
    "no header": BODY.replace(b"Content-Disposition", b"X-Nothing"),
    "a header without an end": DASHES + b"\r\nContent-Disposition: form-data" + b"x" * 70_000,
    "many parts": (FIELD + b"1\r\n") * 300 + BODY,
    "a huge field": FIELD + b"x" * 1_100_000 + b"\r\n" + BODY,
    "two files": BODY.replace(DASHES + b"--\r\n", b"") + BODY,
}


@pytest.mark.on_sqlite
def test_broken_forms(app: Flask, alice: Person, upload: Upload) -> None:
    before = everything_stored(app)
    for name, body in FORMS.items():
        answer = alice.post("/api/v1/recordings/upload", data=body, content_type=FORM)
        assert answer.status_code in {400, 413}, name
        assert set(answer.json) >= {"error", "code", "request_id"}, name
    for date in filter(None, WRONG_DATES):
        answer = upload(alice, meeting_date=date)
        assert (answer.status_code, list(answer.json["errors"])) == (400, ["meeting_date"]), date
    assert everything_stored(app) == before


# -- names in headers and documents


def test_a_name_stays_out_of_headers(alice: Person, upload: Upload) -> None:
    made = with_transcript(upload(alice, title="x").json["id"], TALK)
    name = ATTACK.replace("\x00", "")
    with unit_of_work() as session:
        session.get_one(Recording, made).original_filename = name
        session.add(CalendarEvent(recording_id=made, title=name, start_at=now()))
    assert alice.patch(f"/api/v1/recordings/{made}", json={"title": ATTACK}).status_code == 200
    for rest in ("audio?download=true", "audio", "export", "events/ics"):
        answer = alice.get(f"/api/v1/recordings/{made}/{rest}")
        assert answer.status_code == 200, rest
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Content-Disposition"].isprintable()
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    lines = alice.get(f"/api/v1/recordings/{made}/events/ics").data.split(b"\r\n")
    assert not any(line.startswith(b"Set-Cookie") for line in lines)


# -- templates

TEMPLATES = (
    *(
        "{{title.__class__}}",
        "{{7*7}}",
        "{{ {{title}} }}",
        "{title}",
        "{0.__init__}",
        "%s %(title)s",
        "${title}",
    ),
    *(
        "{% raw %}",
        "{{title|upper}}",
        "{{title",
        "{{" * 900,
        "{{title}}" * 49,
        "{{__import__('os')}}",
        "\\1 \\g<0>",
    ),
)


@pytest.mark.parametrize("kind", ["transcript", "naming", "export"])
def test_a_template_is_filled_in_and_never_run(alice: Person, upload: Upload, kind: str) -> None:
    made = with_transcript(upload(alice, title="{{notes}}", notes="a secret").json["id"], TALK)
    form = {"kind": kind, "name": "evil", "body": "{{title}}", "is_default": True}
    created = alice.post(
        "/api/v1/templates", json=form | ({"body": "{{text}}"} if kind == "transcript" else {})
    )
    assert created.status_code == 201, created.json
    taken = 0
    for body in TEMPLATES:
        changed = alice.patch(f"/api/v1/templates/{created.json['id']}", json={"body": body})
        assert changed.status_code in {200, 400}, body[:20]
        taken += changed.status_code == 200
        document = alice.get(f"/api/v1/recordings/{made}/export")
        assert document.status_code == 200, body[:20]
        written = str(alice.get(f"/api/v1/recordings/{made}").json["transcription"])
        if kind == "export" and changed.status_code == 200:
            written += document.get_data(as_text=True)
        assert not any(word in written for word in ("49", "<class", "wrapper", "module", "a secret")), body[
            :20
        ]
    assert taken
