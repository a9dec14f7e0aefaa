"""Clio's notes: create, list, change, transcribe again, delete."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from speakr.db import unit_of_work
from speakr.models import User
from tests.compat.clio.conftest import API, audio_form
from tests.conftest import Person, wav
from tests.fakes import FakeTranscriber

SPOKEN = "Heard 0.1-0.4 heard 0.5-0.9."
ITEM_KEYS = {
    "id", "title", "username", "status", "duration", "file_size_mb", "language_detected", "confidence_score",
    "is_favorite", "tags", "created_at", "updated_at", "audio_file", "audio_url", "transcription_text",
    "transcription_confidence",
}  # fmt: skip
SEGMENT_KEYS = {"id", "start_time", "end_time", "duration", "text", "confidence", "speaker_id"}

MakeNote = Callable[..., Any]


def refused(answer: Any, status: int, field: str) -> Any:
    """Check a failure in Clio's shape; return its body."""
    body = answer.json
    assert answer.status_code == status, body
    assert body["success"] is False
    assert body["message"]
    assert body["errors"][field]
    return body


def test_a_new_note_is_in_work(alice: Person, make_note: MakeNote) -> None:
    note = make_note(is_done=False, title="Meeting notes")
    assert set(note) == ITEM_KEYS | {"transcription", "error_message", "segments"}
    shown = {key: note[key] for key in ("title", "status", "transcription", "duration", "language_detected")}
    assert shown == {
        "title": "Meeting notes",
        "status": "processing",
        "transcription": "",
        "duration": None,
        "language_detected": "auto",
    }
    assert (note["confidence_score"], note["segments"], note["tags"]) == (None, [], [])
    assert note["audio_file"].startswith(f"/media/audio/{alice.id}/")
    assert note["audio_url"] == f"http://localhost/clio{note['audio_file']}"
    assert note["file_size_mb"] == 0.03
    assert note["username"] == "alice"


def test_a_completed_note_has_text_segments_and_duration(make_note: MakeNote) -> None:
    note = make_note()
    assert (note["status"], note["transcription"], note["language_detected"]) == ("completed", SPOKEN, "en")
    assert note["confidence_score"] == 0.9
    assert [set(segment) for segment in note["segments"]] == [SEGMENT_KEYS] * 2
    assert note["segments"][0]["speaker_id"] == ""
    assert re.fullmatch(r"\d\d:\d\d:\d\d(\.\d{6})?", note["duration"])


def test_without_a_title_the_first_words_become_it_and_stay(
    alice: Person, make_note: MakeNote, work: Callable[[], None]
) -> None:
    note = make_note()
    assert note["title"] == "heard 0.1-0.4 heard 0.5-0.9"
    alice.patch(f"{API}/notes/{note['id']}/", json={"title": "Mine"})
    alice.post(f"{API}/notes/{note['id']}/retranscribe/", json={"language": "en"})
    work()
    assert alice.get(f"{API}/notes/{note['id']}/").json["title"] == "Mine"


def test_a_note_is_a_recording_of_the_native_api(alice: Person, make_note: MakeNote) -> None:
    note = make_note(title="Both")
    recording = alice.get(f"/api/v1/recordings/{note['id']}").json
    assert (recording["title"], recording["language"], recording["confidence"]) == ("Both", "en", 0.9)
    alice.patch(f"/api/v1/recordings/{note['id']}", json={"is_highlighted": True})
    assert alice.get(f"{API}/notes/{note['id']}/").json["is_favorite"] is True


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("form", "status", "field"),
    [
        (audio_form(b"\0" * 500), 400, "audio_file"),
        (audio_form(wav(0.2), "notes.txt", "text/plain"), 400, "audio_file"),
        (audio_form(b"no audio " * 1000), 400, "audio_file"),
        (audio_form(wav(0.2), tag_ids="99999"), 400, "tag_ids"),
        (audio_form(wav(0.2), tag_ids="x"), 400, "tag_ids"),
        (audio_form(wav(0.2), title="t" * 256), 400, "title"),
        (audio_form(None, title="nothing"), 400, "audio_file"),
    ],
    ids=["500 bytes", "text/plain", "no audio", "unknown tag", "no id", "long title", "no file"],
)
def test_bad_uploads_are_refused_and_leave_nothing(
    alice: Person, form: dict[str, Any], status: int, field: str
) -> None:
    refused(alice.post(f"{API}/notes/", **form), status, field)
    assert alice.get(f"{API}/notes/").json["count"] == 0


@pytest.mark.on_sqlite
def test_51_megabytes_are_413_and_json_is_415(alice: Person) -> None:
    form = audio_form(b"\0" * (51 * 1024 * 1024))
    refused(alice.post(f"{API}/notes/", **form), 413, "audio_file")
    answer = alice.post(f"{API}/notes/", json={"title": "x"})
    refused(answer, 415, "non_field_errors")


def test_a_note_over_the_quota_is_413_with_its_own_field(alice: Person) -> None:
    with unit_of_work() as session:
        session.get_one(User, alice.id).storage_quota_bytes = 20_000
    refused(alice.post(f"{API}/notes/", **audio_form(wav(1.0))), 413, "storage")


def test_pages_link_to_each_other_and_end_with_404(alice: Person, make_note: MakeNote) -> None:
    ids = [
        make_note(wav(0.2, frequency=200 + number), title=f"n{number}", is_done=False)["id"]
        for number in range(3)
    ]
    first = alice.get(f"{API}/notes/?page_size=1&search=&status=&is_favorite=&tags=&ordering=").json
    assert (first["count"], first["previous"]) == (3, None)
    assert set(first["results"][0]) == ITEM_KEYS
    walked, at = [], first
    while at["next"]:
        walked.append(at["results"][0]["id"])
        assert at["next"].startswith("http://localhost/clio/api/notes/?")
        at = alice.get(at["next"].removeprefix("http://localhost")).json
    assert [*walked, at["results"][0]["id"]] == ids[::-1]
    assert alice.get(at["previous"].removeprefix("http://localhost")).json["results"][0]["id"] == ids[1]
    for page in ("99", "0", "x", "-1", "9" * 30):
        answer = alice.get(f"{API}/notes/?page={page}")
        assert (answer.status_code, answer.json["detail"]) == (404, "Invalid page."), page
    assert alice.get(f"{API}/notes/?page=1&page_size=x").json["count"] == 3


def test_an_empty_list_has_a_first_page(alice: Person) -> None:
    answer = alice.get(f"{API}/notes/").json
    assert answer == {"count": 0, "next": None, "previous": None, "results": []}


def test_orders_reverse_and_combine(alice: Person, make_note: MakeNote) -> None:
    for title, seconds in (("b", 0.2), ("a", 0.4), ("a", 0.3)):
        make_note(wav(seconds), title=title, is_done=False)

    def order(ordering: str) -> list[tuple[str, float]]:
        found = alice.get(f"{API}/notes/?ordering={ordering}").json["results"]
        return [(note["title"], note["file_size_mb"], note["id"]) for note in found]

    assert [each[0] for each in order("title")] == ["a", "a", "b"]
    assert order("-title") == order("title")[::-1]
    assert order("-duration") == order("duration")[::-1]
    by_both = [note[2] for note in order("title,-duration")]
    assert by_both == [by_both[0], by_both[0] + 1, by_both[1] - 2]
    assert order("nonsense") == order("-created_at")


def test_search_finds_titles_and_texts_by_the_beginning_of_words(
    alice: Person, bob: Person, make_note: MakeNote
) -> None:
    make_note(wav(1.0), title="Quarterly figures")
    make_note(wav(1.1), title="Holidays")
    make_note(wav(1.2), title="Quarterly figures", person=bob)

    def titles(search: str) -> list[str]:
        found = alice.get(f"{API}/notes/", query_string={"search": search}).json
        assert found["count"] == len(found["results"])
        return [note["title"] for note in found["results"]]

    assert titles("quart") == ["Quarterly figures"]
    assert titles("heard") == ["Holidays", "Quarterly figures"]
    assert titles('"figures" -quarterly') == ["Quarterly figures"]
    assert titles("walrus") == []
    assert titles("  ") == ["Holidays", "Quarterly figures"]
    assert titles("--") == []
    assert titles("heard " * 30 + "walrus") == ["Holidays", "Quarterly figures"]
    refused(alice.get(f"{API}/notes/", query_string={"search": "x" * 401}), 400, "search")


def test_filters_narrow_the_list(alice: Person, make_note: MakeNote) -> None:
    tags = [alice.post(f"{API}/tags/", json={"name": name}).json["id"] for name in ("one", "two", "three")]
    first = make_note(wav(1.0), tag_ids=str(tags[0]))
    second = make_note(wav(1.1), tag_ids=[str(tags[1]), str(tags[2])])
    third = make_note(wav(1.2), is_done=False)
    alice.patch(f"{API}/notes/{first['id']}/", json={"is_favorite": True})

    def ids(query: str) -> list[int]:
        return [note["id"] for note in alice.get(f"{API}/notes/?{query}").json["results"]]

    assert ids("is_favorite=true") == [first["id"]]
    assert ids("is_favorite=false") == [third["id"], second["id"]]
    assert ids(f"tags={tags[0]},{tags[1]}") == [second["id"], first["id"]]
    assert ids(f"tags={tags[0]}&tags={tags[2]}") == [second["id"], first["id"]]
    assert ids("tags=2147483647") == []
    assert ids("status=processing") == [third["id"]]
    assert ids("status=completed") == [second["id"], first["id"]]
    assert ids("status=failed") == []
    assert ids("language_detected=en") == [second["id"], first["id"]]
    assert ids("language_detected=de") == []
    refused(alice.get(f"{API}/notes/?status=lost"), 400, "status")
    refused(alice.get(f"{API}/notes/?tags=a"), 400, "tags")


def test_changes_of_a_note(alice: Person, make_note: MakeNote) -> None:
    note = make_note()
    path = f"{API}/notes/{note['id']}/"
    tags = [alice.post(f"{API}/tags/", json={"name": name}).json["id"] for name in ("b", "a")]
    body = {"title": "New", "transcription": "Updated heard text", "is_favorite": True, "tag_ids": tags}
    answer = alice.patch(path, json=body)
    assert answer.status_code == 200
    changed = answer.json
    assert "data" not in changed
    assert (changed["title"], changed["is_favorite"]) == ("New", True)
    assert [tag["id"] for tag in changed["tags"]] == tags
    # What a person wrote is shown as it was written.
    assert changed["transcription"] == "Updated heard text"
    assert changed["transcription"] == alice.get(path).json["transcription"]
    assert alice.put(path, json={"tag_ids": [tags[1]]}).json["tags"][0]["name"] == "a"
    assert alice.patch(path, json={"tag_ids": []}).json["tags"] == []
    assert alice.patch(path, json={}).json["title"] == "New"
    assert alice.get(f"{API}/notes/?search=updated").json["count"] == 1


def test_the_same_text_sent_back_is_no_edit(alice: Person, make_note: MakeNote) -> None:
    note = make_note()
    alice.patch(f"{API}/notes/{note['id']}/", json={**note, "title": "Other", "tag_ids": []})
    after = alice.get(f"{API}/notes/{note['id']}/").json
    assert (after["transcription"], after["title"]) == (SPOKEN, "Other")
    assert alice.get(f"/api/v1/recordings/{note['id']}/transcript").json["revision"] == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tag_ids": [2_000_000_000]}, "tag_ids"),
        ({"tag_ids": "1"}, "tag_ids"),
        ({"title": 5}, "title"),
        ({"title": "t" * 256}, "title"),
        ({"is_favorite": "perhaps"}, "is_favorite"),
    ],
)
@pytest.mark.on_sqlite
def test_bad_changes_are_refused_and_change_nothing(
    alice: Person, make_note: MakeNote, body: dict[str, Any], field: str
) -> None:
    note = make_note(is_done=False)
    path = f"{API}/notes/{note['id']}/"
    refused(alice.patch(path, json={"title": "New", **body}), 400, field)
    assert alice.get(path).json["title"] == note["title"]


def test_text_of_a_note_in_work_cannot_be_changed(alice: Person, make_note: MakeNote) -> None:
    note = make_note(is_done=False)
    refused(alice.patch(f"{API}/notes/{note['id']}/", json={"transcription": "x"}), 400, "transcription")


def test_transcribing_again(
    alice: Person, make_note: MakeNote, work: Callable[[], None], transcriber: FakeTranscriber
) -> None:
    note = make_note()
    path = f"{API}/notes/{note['id']}/retranscribe/"
    assert (
        "Invalid language"
        in refused(alice.post(path, json={"language": "klingon"}), 400, "language")["message"]
    )
    answer = alice.post(path, json={"language": "de"})
    assert answer.status_code == 200
    assert answer.json["message"] == "Re-transcription started successfully"
    data = answer.json["data"]
    assert set(data) == {
        "id", "title", "transcription", "status", "language_detected", "error_message", "updated_at",
    }  # fmt: skip
    assert (data["status"], data["transcription"], data["language_detected"]) == ("processing", "", "de")
    again = refused(alice.post(path, json={"language": "de"}), 400, "status")
    assert again["message"] == "Cannot retranscribe note that is currently processing"
    shown = alice.get(f"{API}/notes/{note['id']}/").json
    assert (shown["status"], shown["transcription"], shown["segments"]) == ("processing", "", [])
    work()
    assert transcriber.hints[-1].language == "de"
    assert alice.get(f"{API}/notes/{note['id']}/").json["transcription"] == SPOKEN


def test_a_deleted_note_is_gone(alice: Person, make_note: MakeNote) -> None:
    note = make_note()
    answer = alice.delete(f"{API}/notes/{note['id']}/")
    assert (answer.status_code, answer.json) == (
        200,
        {"success": True, "message": "Voice note deleted successfully"},
    )
    assert alice.get(f"{API}/notes/{note['id']}/").status_code == 404
    assert alice.get(f"/api/v1/recordings/{note['id']}").status_code == 404


def test_notes_of_others_are_not_there(alice: Person, bob: Person, make_note: MakeNote) -> None:
    note = make_note(title="Secret of Alice")
    path = f"{API}/notes/{note['id']}/"
    tag = alice.post(f"{API}/tags/", json={"name": "Secret tag"}).json["id"]
    answers = [
        bob.get(path),
        bob.patch(path, json={"title": "x"}),
        bob.put(path, json={"title": "x"}),
        bob.delete(path),
        bob.post(f"{path}retranscribe/", json={"language": "en"}),
        bob.get(f"{API}/tags/{tag}/"),
        bob.patch(f"{API}/tags/{tag}/", json={"name": "x"}),
        bob.delete(f"{API}/tags/{tag}/"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 8
    mine = make_note(person=bob, title="Bob's")
    answers.append(bob.patch(f"{API}/notes/{mine['id']}/", json={"tag_ids": [tag]}))
    assert answers[-1].status_code == 400
    answers.append(bob.get(f"{API}/notes/?tags={tag}"))
    assert answers[-1].json["count"] == 0
    assert not [answer for answer in answers if "Secret" in answer.get_data(as_text=True)]
    assert alice.get(path).json["title"] == "Secret of Alice"


def test_recordings_shared_by_others_are_no_notes(alice: Person, bob: Person, make_note: MakeNote) -> None:
    note = make_note()
    path = f"/api/v1/recordings/{note['id']}"
    assert alice.post(f"{path}/shares", json={"user_id": bob.id, "can_edit": True}).status_code == 201
    assert bob.get(path).status_code == 200
    assert bob.get(f"{API}/notes/").json["count"] == 0
    assert bob.get(f"{API}/notes/{note['id']}/").status_code == 404
    assert bob.patch(f"{API}/notes/{note['id']}/", json={"title": "x"}).status_code == 404
    assert bob.get(f"/clio{note['audio_file'].partition('?')[0]}").status_code == 404


def test_lists_show_the_beginning_of_long_texts(alice: Person, make_note: MakeNote) -> None:
    note = make_note()
    found = alice.get(f"{API}/notes/").json["results"][0]
    assert found["transcription_text"] == SPOKEN
    assert (found["id"], found["transcription_confidence"]) == (note["id"], 0.9)


def test_a_list_takes_few_statements(
    alice: Person, make_note: MakeNote, count_statements: Callable[[], Any]
) -> None:
    for number in range(3):
        make_note(wav(1.0 + number / 10))
    counts = []
    for size in (1, 3):
        with count_statements() as counted:
            assert len(alice.get(f"{API}/notes/?page_size={size}").json["results"]) == size
        counts.append(counted.number)
    assert counts[0] == counts[1]
