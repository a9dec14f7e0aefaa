"""Templates: per user and kind, one default each, and their effect on transcripts, titles and documents."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from speakr.db import unit_of_work
from speakr.domain.caps import CAPS, Noun
from speakr.domain.transcript import Span
from speakr.jobs import runner, transcribe
from speakr.models import Recording, RecordingSpeaker, RecordingTag, Segment, Tag
from speakr.services.language import documents
from tests.conftest import Person
from tests.fakes import FakeWriter, MemoryJobNotifier

TEMPLATES = "/api/v1/templates"
R = "/api/v1/recordings"


def make(person: Person, kind: str = "transcript", **fields: object) -> int:
    form = {"kind": kind, "name": "Mine", "body": "{{speaker|upper}}: {{text}}", **fields}
    made = person.post(TEMPLATES, json=form)
    assert made.status_code == 201, made.json
    assert {name: made.json[name] for name in form} == form
    return made.json["id"]


@pytest.fixture
def recording(app: Flask, alice: Person) -> int:
    with unit_of_work() as session:
        row = Recording(
            user_id=alice.id,
            title="Board: «budget»",
            original_filename="board.final.wav",
            mime_type="audio/wav",
            file_size=10,
            sha256="0" * 64,
            has_transcription=True,
            summary="It is short.",
            has_summary=True,
            notes="Call Ann.",
        )
        tag = Tag(user_id=alice.id, name="Work")
        session.add_all([row, tag])
        session.flush()
        session.add(RecordingTag(recording_id=row.id, tag_id=tag.id, position=1))
        session.add(RecordingSpeaker(recording_id=row.id, label="SPEAKER_01", name="Ann"))
        for position in range(2):
            session.add(
                Segment(
                    recording_id=row.id,
                    position=position,
                    start=position,
                    end=position + 1,
                    text=f"Line {position}",
                    speaker=f"SPEAKER_0{position}",
                    words=[],
                )
            )
        return row.id


def test_templates_are_made_listed_changed_and_removed(alice: Person) -> None:
    first = make(alice, name="b")
    second = make(alice, name="A")
    title = make(alice, "naming", name="A", body="{{title}}")
    assert [row["id"] for row in alice.get(TEMPLATES).json["templates"]] == [title, second, first]
    assert [row["id"] for row in alice.get(f"{TEMPLATES}?kind=naming").json["templates"]] == [title]
    assert alice.get(f"{TEMPLATES}?kind=poem").status_code == 400
    changed = alice.patch(f"{TEMPLATES}/{first}", json={"name": "c", "body": "{{index}}", "kind": "export"})
    assert (changed.json["name"], changed.json["body"], changed.json["kind"]) == (
        "c",
        "{{index}}",
        "transcript",
    )
    assert alice.get(f"{TEMPLATES}/{first}").json == changed.json
    assert alice.delete(f"{TEMPLATES}/{first}").status_code == 204
    assert alice.get(f"{TEMPLATES}/{first}").status_code == 404


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("field", "form"),
    [
        ("kind", {"kind": "poem"}),
        ("kind", {"kind": None}),
        ("name", {"name": " "}),
        ("name", {"name": "x" * 101}),
        ("body", {"body": ""}),
        ("body", {"body": 5}),
        ("body", {"body": "x" * 2001}),
        ("body", {"body": "{{text}}" * 51}),
        ("body", {"kind": "naming", "body": "x" * 501}),
        ("body", {"kind": "export", "body": "x" * 20_001}),
        ("is_default", {"is_default": "yes"}),
    ],
)
def test_what_no_template_can_be(alice: Person, field: str, form: dict) -> None:
    refused = alice.post(TEMPLATES, json={"kind": "transcript", "name": "n", "body": "b", **form})
    assert refused.status_code == 400
    assert list(refused.json["errors"]) == [field]


def test_a_name_is_taken_once_per_kind(alice: Person, bob: Person) -> None:
    make(alice)
    make(alice, "naming")
    make(bob)
    other = make(alice, name="Other")
    for refused in (
        alice.post(TEMPLATES, json={"kind": "transcript", "name": " Mine ", "body": "x"}),
        alice.patch(f"{TEMPLATES}/{other}", json={"name": "Mine", "body": "lost"}),
    ):
        assert (refused.status_code, refused.json["code"]) == (400, "name_taken")
    assert alice.get(f"{TEMPLATES}/{other}").json["body"] == "{{speaker|upper}}: {{text}}"


def test_templates_of_others_are_not_there(alice: Person, bob: Person, recording: int) -> None:
    template = make(alice, "export")
    address = f"{TEMPLATES}/{template}"
    for answer in (
        bob.get(address),
        bob.patch(address, json={"name": "x"}),
        bob.delete(address),
        bob.post(f"{address}/default"),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert bob.get(TEMPLATES).json == {"templates": []}
    theirs = make(bob, "export")
    assert alice.get(f"{R}/{recording}/export?template_id={theirs}").status_code == 404


def test_a_hundred_are_enough(
    app: Flask, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CAPS[Noun.TEMPLATES] == 100
    monkeypatch.setitem(CAPS, Noun.TEMPLATES, 2)
    make(alice, name="1")
    make(alice, "naming", name="2")
    full = alice.post(TEMPLATES, json={"kind": "export", "name": "3", "body": "x"})
    assert (full.status_code, full.json["code"]) == (409, "template_cap")
    make(bob)


def defaults(person: Person) -> list[int]:
    return [row["id"] for row in person.get(TEMPLATES).json["templates"] if row["is_default"]]


def test_each_kind_has_one_default(alice: Person, bob: Person) -> None:
    first, second = make(alice, name="1", is_default=True), make(alice, name="2", is_default=True)
    naming, bobs = make(alice, "naming", is_default=True), make(bob, is_default=True)
    assert defaults(alice) == [naming, second]
    assert alice.post(f"{TEMPLATES}/{first}/default").json["is_default"] is True
    assert defaults(alice) == [naming, first]
    assert alice.patch(f"{TEMPLATES}/{second}", json={"is_default": True}).json["is_default"] is True
    assert alice.patch(f"{TEMPLATES}/{first}", json={"is_default": False}).json["is_default"] is False
    assert defaults(alice) == [naming, second]
    assert alice.patch(f"{TEMPLATES}/{second}", json={"is_default": False}).json["is_default"] is False
    assert defaults(alice) == [naming]
    assert defaults(bob) == [bobs]


def test_defaults_made_at_once_leave_one(app: Flask, alice: Person) -> None:
    made = [make(alice, name=str(number)) for number in range(4)]
    barrier, codes = threading.Barrier(len(made)), []

    def choose(template: int) -> None:
        barrier.wait()
        codes.append(alice.post(f"{TEMPLATES}/{template}/default").status_code)

    threads = [threading.Thread(target=choose, args=(template,)) for template in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 4
    assert len(defaults(alice)) == 1


def test_transcripts_read_as_the_reader_likes(alice: Person, bob: Person, recording: int) -> None:
    alice.post(f"{R}/{recording}/shares", json={"user_id": bob.id})
    plain = "[SPEAKER_00]: Line 0\n[Ann]: Line 1"
    template = make(alice, is_default=True, body="{{index}} {{speaker|upper}} {{start_time}} {{text}} {{x}}")
    for person, text in (
        (alice, "1 SPEAKER_00 00:00:00 Line 0 {{x}}\n2 ANN 00:00:01 Line 1 {{x}}"),
        (bob, plain),
    ):
        assert person.get(f"{R}/{recording}").json["transcription"] == text
        assert person.get(f"{R}/{recording}/transcript?format=text").json["content"] == text
        bare = person.get(f"{R}/{recording}/transcript?format=text", headers={"Accept": "text/plain"})
        assert bare.text == text
    assert "Line 0" in alice.get(f"{R}/{recording}/transcript?format=srt").json["content"]
    alice.delete(f"{TEMPLATES}/{template}")
    assert alice.get(f"{R}/{recording}").json["transcription"] == plain


def test_a_recording_is_exported_as_markdown(alice: Person, recording: int) -> None:
    answer = alice.get(f"{R}/{recording}/export")
    assert answer.status_code == 200
    assert answer.content_type == "text/markdown; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.text.startswith("# Board: «budget»\n\n")
    for part in ("**Participants:** Ann\n", "**Tags:** Work\n", "It is short.", "Call Ann.", "[Ann]: Line 1"):
        assert part in answer.text
    assert alice.get(f"{R}/{recording}/export?format=pdf").status_code == 400


def test_export_templates(alice: Person, bob: Person, recording: int) -> None:
    alice.post(f"{R}/{recording}/shares", json={"user_id": bob.id})
    body = "{{title}}/{{filename}}/{{notes}}/{{tags}}/{{folder}}/{{participants}}/{{summary}}/{{secret}}"
    template = make(alice, "export", body=body)
    address = f"{R}/{recording}/export"
    mine = "Board: «budget»/board.final/Call Ann./Work//Ann/It is short./{{secret}}"
    assert alice.get(f"{address}?template_id={template}").text == mine
    assert alice.get(address).text != mine
    alice.post(f"{TEMPLATES}/{template}/default")
    assert alice.get(address).text == mine
    transcript = make(alice)
    assert alice.get(f"{address}?template_id={transcript}").status_code == 404
    # A recipient of a share has templates of their own, and sees neither the owner's tags nor folders.
    assert "Call Ann." not in bob.get(address).text
    assert "Work" not in bob.get(address).text
    make(bob, "export", body=body, is_default=True)
    assert bob.get(address).text == "Board: «budget»/board.final////Ann/It is short./{{secret}}"


def test_a_tag_and_a_folder_bring_their_export_template(app: Flask, alice: Person, recording: int) -> None:
    by_tag, by_default = make(alice, "export", name="1", body="tag"), make(alice, "export", body="default")
    alice.post(f"{TEMPLATES}/{by_default}/default")
    (tag,) = alice.get(f"{R}/{recording}").json["tags"]
    with unit_of_work() as session:
        session.get_one(Tag, tag["id"]).export_template_id = by_tag
    assert alice.get(f"{R}/{recording}/export").text == "tag"
    alice.delete(f"{TEMPLATES}/{by_tag}")
    assert alice.get(f"{R}/{recording}/export").text == "default"


@pytest.fixture
def summarised(
    app: Flask, alice: Person, upload, notifier: MemoryJobNotifier, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Upload, do all work, and return the title."""
    monkeypatch.setattr(transcribe, "find_speech", lambda _: [Span(0.1, 0.9)])

    def run(**fields: object) -> str:
        made = upload(alice, filename="Q1 call.wav", meeting_date="2024-01-15T09:05:00Z", **fields)
        assert made.status_code == 202, made.json
        while notifier.notifications:
            runner.run(notifier.notifications.pop(0)[1])
        detail = alice.get(f"{R}/{made.json['id']}").json
        assert detail["status"] == "COMPLETED"
        return detail["title"]

    return run


def test_titles_follow_the_default_naming_template(alice: Person, summarised) -> None:
    assert summarised() == "A written title"
    make(
        alice, "naming", body="{{date|%y%m%d}} {{time}}\n{{title}} ({{filename}}) {{nobody}}", is_default=True
    )
    assert summarised() == "240115 09:05 A written title (Q1 call) {{nobody}}"
    assert summarised(title="I named it") == "I named it"


def test_tags_and_folders_come_before_the_default(app: Flask, alice: Person, summarised) -> None:
    from speakr.models import Folder
    from speakr.services.system import system_settings

    make(alice, "naming", name="default", body="default", is_default=True)
    by_tag = make(alice, "naming", name="tag", body="{{tags}}: {{title}}")
    by_folder = make(alice, "naming", name="folder", body="{{folder}} " + "x" * 300)
    with unit_of_work() as session:
        system_settings.put("enable_folders", value=True)
        plain = Tag(user_id=alice.id, name="Plain")
        tag = Tag(user_id=alice.id, name="Sales", naming_template_id=by_tag)
        folder = Folder(user_id=alice.id, name="Clients", naming_template_id=by_folder)
        session.add_all([plain, tag, folder])
        session.flush()
        plain_id, tag_id, folder_id = plain.id, tag.id, folder.id
    filed = {"tag_ids[0]": plain_id, "tag_ids[1]": tag_id, "folder_id": folder_id}
    assert summarised(**filed) == "Plain, Sales: A written title"
    assert summarised(tag_id=plain_id, folder_id=folder_id) == "Clients " + "x" * 192
    assert summarised(tag_id=plain_id) == "default"


def test_without_a_written_title_only_a_layout_that_needs_none_names(
    alice: Person, summarised, writer: FakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speakr.domain.summaries import Title

    monkeypatch.setattr(writer, "write_title", lambda _: Title(text=""))
    template = make(alice, "naming", body="{{title}} {{date}}", is_default=True)
    assert summarised() == "Recording - Q1 call.wav"
    alice.patch(f"{TEMPLATES}/{template}", json={"body": "Call of {{date}}"})
    assert summarised() == "Call of 2024-01-15"


def test_a_long_summary_is_cleaned_beside_the_loop_and_keeps_its_code(
    alice: Person, recording: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{R}/{recording}"
    lengths: list[bool] = []

    def run(work: Callable[[], Any], *, is_long: bool = True) -> Any:
        lengths.append(is_long)
        return work()

    monkeypatch.setattr(documents, "run_cpu", run)
    alice.patch(address, json={"summary": "`Vec<u8>` <img>"})
    assert "`Vec<u8>` < img>" in alice.get(f"{address}/export").text
    short = lengths.copy()
    lengths.clear()
    alice.patch(address, json={"summary": "](" * 20_000})
    assert alice.get(f"{address}/export").status_code == 200
    assert lengths.count(True) == short.count(True) + 1
    # Half of a code block in the notes would turn the summary's code into text.
    alice.patch(address, json={"notes": "```", "summary": "```\n<img>\n```"})
    assert "\n< img>\n" in alice.get(f"{address}/export").text
