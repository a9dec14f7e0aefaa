"""The audio of notes: signed addresses, ranges, names, and pages of other origins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Person, wav

PAGE = "http://localhost:3000"
WAV = wav(1.0)


@pytest.fixture
def note(make_note: Callable[..., Any]) -> Any:
    return make_note(WAV, filename="my memo.wav", is_done=False)


def get(person: Person, path: str, **headers: str) -> Any:
    """Send a request without any credential but the address."""
    return person.client.get(f"/clio{path}", headers=headers, buffered=True)


def test_the_signed_address_plays_without_a_credential(alice: Person, note: Any) -> None:
    answer = get(alice, note["audio_file"])
    assert (answer.status_code, answer.data) == (200, WAV)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.mimetype in {"audio/wav", "audio/x-wav"}
    assert answer.headers["ETag"]
    assert answer.headers["Last-Modified"]
    assert "private" in answer.headers["Cache-Control"]


def test_ranges_are_answered_in_part(alice: Person, note: Any) -> None:
    part = get(alice, note["audio_file"], Range="bytes=0-99")
    assert (part.status_code, part.data) == (206, WAV[:100])
    assert part.headers["Content-Range"] == f"bytes 0-99/{len(WAV)}"
    outside = get(alice, note["audio_file"], Range="bytes=999999999-")
    assert (outside.status_code, outside.headers["Content-Range"]) == (416, f"bytes */{len(WAV)}")
    assert outside.json["success"] is False


def test_pages_of_the_web_client_may_read_each_answer(alice: Person, note: Any) -> None:
    whole = get(alice, note["audio_file"], Origin=PAGE)
    answers = [
        whole,
        get(alice, note["audio_file"], Origin=PAGE, Range="bytes=0-9"),
        get(alice, note["audio_file"], **{"Origin": PAGE, "If-None-Match": whole.headers["ETag"]}),
        get(alice, note["audio_file"], Origin=PAGE, Range="bytes=999999999-"),
    ]
    assert [answer.status_code for answer in answers] == [200, 206, 304, 416]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        exposed = answer.headers["Access-Control-Expose-Headers"]
        assert {"Content-Range", "Accept-Ranges"} <= set(exposed.split(", "))
    other = get(alice, note["audio_file"], Origin="https://evil.example")
    assert "Access-Control-Allow-Origin" not in other.headers


def test_the_address_with_another_extension_is_404(alice: Person, note: Any) -> None:
    for extension in (".m4a", ".mp3", ".webm"):
        answer = get(alice, note["audio_file"].replace(".wav", extension))
        assert (answer.status_code, answer.json["success"]) == (404, False)


def test_a_changed_address_is_refused(
    alice: Person, bob: Person, note: Any, make_note: Callable[..., Any]
) -> None:
    path, _, query = note["audio_file"].partition("?")
    other = make_note(wav(0.5), person=bob, is_done=False)
    other_path = other["audio_file"].partition("?")[0]
    for changed in (
        path,
        f"{path}?{query[:-1]}",
        f"{path}?{query}&more=1",
        f"{other_path}?{query}",
        f"{path}?{query.replace(f'user={alice.id}', f'user={bob.id}')}",
    ):
        answer = get(alice, changed)
        assert (answer.status_code, answer.json["success"]) == (401, False), changed
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_works_too_but_only_that_of_the_owner(alice: Person, bob: Person, note: Any) -> None:
    path = f"/clio{note['audio_file'].partition('?')[0]}"
    assert alice.get(path).data == WAV
    assert bob.get(path).status_code == 404
    assert bob.get(path.replace(f"/{alice.id}/", f"/{bob.id}/")).status_code == 404


def test_an_address_stays_the_same_while_a_page_loads_again(alice: Person, note: Any) -> None:
    again = alice.get(f"/clio/api/notes/{note['id']}/").json
    assert again["audio_file"] == note["audio_file"]


def test_without_audio_there_is_no_address(alice: Person, note: Any) -> None:
    from speakr.db import unit_of_work
    from speakr.models import Recording

    with unit_of_work() as session:
        session.get_one(Recording, note["id"]).storage_key = None
    shown = alice.get(f"/clio/api/notes/{note['id']}/").json
    assert (shown["audio_file"], shown["audio_url"]) == (None, None)
    assert get(alice, note["audio_file"]).status_code == 404
