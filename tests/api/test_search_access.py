"""Search returns what its user may see, always up to date, and with few database queries."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import event, text

from speakr.db import db, unit_of_work
from speakr.domain.permissions import GroupRole
from speakr.domain.transcript import Span
from speakr.jobs import runner, transcribe
from speakr.models import (
    Folder,
    Group,
    GroupMembership,
    Recording,
    RecordingShare,
    RecordingTag,
    Segment,
    Tag,
)
from speakr.services.search import indexing
from speakr.services.system import maintenance, system_settings
from tests.conftest import Person
from tests.fakes import MemoryJobNotifier


@pytest.fixture
def make(app: Flask):
    """Write a recording with one segment."""

    def write(person: Person, said: str = "the walrus", **values: object) -> int:
        known = {
            "title": "A title",
            "original_filename": "a.wav",
            "mime_type": "audio/wav",
            "file_size": 10,
            "sha256": "0" * 64,
        }
        with unit_of_work() as session:
            row = Recording(user_id=person.id, **{**known, **values})
            session.add(row)
            session.flush()
            session.add(
                Segment(recording_id=row.id, position=0, start=0.0, end=1.0, speaker="S", text=said, words=[])
            )
            indexing.index(row.id)
            return row.id

    return write


@pytest.fixture
def work(app: Flask, notifier: MemoryJobNotifier, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Do all work that is waiting, here and now."""
    monkeypatch.setattr(transcribe, "find_speech", lambda _: [Span(0.1, 0.4), Span(0.5, 0.9)])

    def answer_all() -> None:
        while notifier.notifications:
            _, job_id, _ = notifier.notifications.pop(0)
            runner.run(job_id)

    return answer_all


@pytest.fixture
def share(app: Flask):
    def put(recording_id: int, person: Person) -> None:
        with unit_of_work() as session:
            session.add(RecordingShare(recording_id=recording_id, user_id=person.id))

    return put


def search(person: Person, q: str, **params: object) -> list[dict]:
    answer = person.get("/api/v1/search", query_string={"q": q, **params})
    assert answer.status_code == 200, answer.json
    assert answer.json["pagination"]["total"] == len(answer.json["results"])
    return answer.json["results"]


def found(person: Person, q: str, **params: object) -> list[int]:
    return [result["recording"]["id"] for result in search(person, q, **params)]


# -- others


def test_others_find_nothing(alice: Person, bob: Person, make) -> None:
    mine, his = make(alice), make(bob)
    assert found(alice, "walrus") == [mine]
    assert found(bob, "walrus") == [his]
    assert found(bob, f'walrus "u{alice.id}"') == []


def test_what_is_shared_is_found_but_not_by_its_owners_notes(alice: Person, bob: Person, make, share) -> None:
    shared = make(
        alice, notes="the okapi", summary="a zebra", title="Lemurs", is_inbox=True, is_highlighted=True
    )
    share(shared, bob)
    for word in ("walrus", "zebra", "lemurs"):
        assert found(bob, word) == [shared]
    assert found(bob, "okapi") == []
    assert found(bob, "okapi", field="notes") == []
    assert found(bob, "walrus okapi") == []
    assert found(bob, '"the okapi"') == []
    assert found(bob, "walrus -okapi") == [shared], "that it is in the notes is not shown either"
    assert found(bob, 'walrus -"the okapi"') == [shared]
    assert found(alice, "okapi") == [shared]
    (result,) = search(bob, "the")
    assert [match["field"] for match in result["matches"]] == ["transcript"]
    assert result["recording"]["is_inbox"] is False
    assert result["recording"]["is_highlighted"] is False


def test_own_and_shared_are_found_together_in_one_order(alice: Person, bob: Person, make, share) -> None:
    made = [make(person) for person in (alice, bob, alice, bob, alice)]
    for recording_id in made[::2]:
        share(recording_id, bob)
    assert found(bob, "walrus") == made[::-1]
    assert found(alice, "walrus") == made[::-2]


def test_the_end_of_a_share_ends_it(alice: Person, bob: Person, make, share) -> None:
    shared = make(alice)
    share(shared, bob)
    assert found(bob, "walrus") == [shared]
    with unit_of_work() as session:
        session.query(RecordingShare).delete()
    assert found(bob, "walrus") == []


def test_sharing_may_be_switched_off(alice: Person, bob: Person, make, share) -> None:
    share(make(alice), bob)
    with unit_of_work():
        system_settings.put("enable_internal_sharing", value=False)
    assert found(bob, "walrus") == []


@pytest.mark.parametrize("way", ["tag", "folder"])
def test_groups_find_what_their_tags_and_folders_show(alice: Person, bob: Person, make, way: str) -> None:
    shared, other = make(alice), make(alice)
    with unit_of_work() as session:
        group = Group(name="g")
        session.add(group)
        session.flush()
        session.add_all(
            GroupMembership(group_id=group.id, user_id=person.id, role=GroupRole.MEMBER)
            for person in (alice, bob)
        )
        if way == "tag":
            tag = Tag(group_id=group.id, name="ours")
            session.add(tag)
            session.flush()
            session.add(RecordingTag(recording_id=shared, tag_id=tag.id, position=1))
        else:
            folder = Folder(group_id=group.id, name="ours")
            session.add(folder)
            session.flush()
            session.get_one(Recording, shared).folder_id = folder.id
    assert found(bob, "walrus") == [shared]
    assert found(alice, "walrus") == [other, shared]
    assert found(bob, '"the walrus"') == [shared]
    with unit_of_work() as session:
        session.query(GroupMembership).filter_by(user_id=bob.id).delete()
    assert found(bob, "walrus") == []


# -- filters


def test_filters_are_those_of_the_list(alice: Person, make) -> None:
    with unit_of_work():
        system_settings.put("enable_folders", value=True)
    plain, marked = make(alice), make(alice, is_highlighted=True, is_inbox=False, status="COMPLETED")
    with unit_of_work() as session:
        tag, folder = Tag(user_id=alice.id, name="zoo"), Folder(user_id=alice.id, name="zoo")
        session.add_all([tag, folder])
        session.flush()
        session.add(RecordingTag(recording_id=marked, tag_id=tag.id, position=1))
        session.get_one(Recording, marked).folder_id = folder.id
        tag_id, folder_id = tag.id, folder.id
    for filters in (
        {"starred": "true"},
        {"inbox": "false"},
        {"status": "completed"},
        {"tag_id": tag_id},
        {"tag": "zoo"},
        {"folder_id": folder_id},
    ):
        assert found(alice, "walrus", **filters) == [marked], filters
        assert found(alice, '"the walrus" -okapi', **filters) == [marked], filters
    assert found(alice, "walrus", folder_id="none") == [plain]
    assert found(alice, "walrus", date_from="2999-01-01") == []
    assert found(alice, "walrus", date_to="2999-01-01") == [marked, plain]
    (result,) = search(alice, "walrus", tag="zoo")
    assert result["recording"]["folder"] == {"id": folder_id, "name": "zoo"}
    assert [tag["name"] for tag in result["recording"]["tags"]] == ["zoo"]


def test_filters_do_not_find_out_another_owners_marks(alice: Person, bob: Person, make, share) -> None:
    shared = make(alice, is_highlighted=True, is_inbox=True)
    share(shared, bob)
    with unit_of_work() as session:
        tag = Tag(user_id=alice.id, name="zoo")
        session.add(tag)
        session.flush()
        session.add(RecordingTag(recording_id=shared, tag_id=tag.id, position=1))
        tag_id = tag.id
    for filters in ({"starred": "true"}, {"inbox": "true"}, {"tag_id": tag_id}, {"tag": "zoo"}):
        assert found(bob, "walrus", **filters) == [], filters
    for filters in ({"starred": "false"}, {"inbox": "false"}, {"status": "all"}):
        assert found(bob, "walrus", **filters) == [shared], filters


# -- in step


def test_an_upload_is_found_at_once_and_its_texts_as_they_come(alice: Person, upload, work) -> None:
    recording = upload(alice, title="Walrus feeding", notes="bring fish").json["id"]
    assert found(alice, "feeding fish") == [recording]
    work()
    said = alice.get(f"/api/v1/recordings/{recording}/transcript?format=json").json["segments"][0]["sentence"]
    (result,) = search(alice, said.split()[0], field="transcript")
    assert result["recording"]["id"] == recording
    summary = alice.get(f"/api/v1/recordings/{recording}/summary").json["summary"]
    assert found(alice, summary.split()[-1], field="summary") == [recording]


@pytest.mark.parametrize("field", ["title", "participants", "summary", "notes"])
def test_what_is_changed_is_found_as_it_is_now(alice: Person, make, field: str) -> None:
    recording = make(alice, **{field: "old okapi"})
    assert found(alice, "okapi") == [recording]
    assert alice.patch(f"/api/v1/recordings/{recording}", json={field: "new zebra"}).status_code == 200
    assert found(alice, "okapi") == []
    assert found(alice, '"new zebra"') == [recording]
    assert found(alice, "walrus zebra") == [recording]


def test_what_is_deleted_is_gone_from_the_index(alice: Person, make) -> None:
    recording = make(alice)
    assert alice.delete(f"/api/v1/recordings/{recording}").status_code == 200
    assert found(alice, "walrus") == []
    another = make(alice, "the okapi")
    assert found(alice, "walrus") == []
    assert found(alice, "the") == [another]
    if db.engine.dialect.name == "sqlite":
        with unit_of_work() as session:  # raises if the index and the table it is made from disagree
            session.execute(
                text("INSERT INTO search_index(search_index, rank) VALUES ('integrity-check', 1)")
            )


def test_a_failed_change_leaves_the_index_as_it_was(alice: Person, make) -> None:
    recording = make(alice, notes="okapi")
    with pytest.raises(ZeroDivisionError), unit_of_work() as session:
        session.get_one(Recording, recording).notes = "zebra"
        indexing.index(recording)
        raise ZeroDivisionError
    assert found(alice, "okapi") == [recording]
    assert found(alice, "zebra") == []


def test_the_index_can_be_made_anew(alice: Person, make) -> None:
    made = [make(alice) for _ in range(3)]
    with unit_of_work() as session:
        session.execute(text("DELETE FROM search_terms"))
        session.execute(text("DELETE FROM search_documents WHERE recording_id <> :id"), {"id": made[0]})
    assert found(alice, "walrus") == []
    seen = list(indexing.reindex())
    assert seen[-1] == len(made)
    assert found(alice, "walrus") == made[::-1]
    assert len(search(alice, "walrus")[0]["matches"]) == 1


def test_the_index_is_finished_by_maintenance_if_the_command_ends(
    alice: Person, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_BATCH", 1)
    monkeypatch.setattr(indexing, "_BATCHES_PER_ROUND", 1)
    made = [make(alice) for _ in range(3)]
    with unit_of_work() as session:
        session.execute(text("DELETE FROM search_terms"))
    assert next(indexing.reindex()) == 1
    assert len(found(alice, "walrus")) == 1
    for _ in range(2):
        maintenance.run_maintenance()
    assert found(alice, "walrus") == made[::-1]


def test_a_speaker_renamed_in_many_recordings_is_found_in_all(
    alice: Person, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_AT_ONCE", 1)
    monkeypatch.setattr(indexing, "_BATCH", 2)
    made = [make(alice, participants="Okapi") for _ in range(6)]
    with unit_of_work() as session:
        session.query(Recording).update({"participants": "Zebra"})
        indexing.index(*made)
    maintenance.run_maintenance()
    assert found(alice, "okapi") == []
    assert found(alice, "zebra") == made[::-1]


def test_more_recordings_may_change_at_once_than_a_statement_takes_values(alice: Person, make) -> None:
    made = [make(alice, participants="Okapi") for _ in range(2)]
    with unit_of_work() as session:
        session.query(Recording).update({"participants": "Zebra"})
        indexing.index(made[0], *range(10**6, 10**6 + 70_000), made[1])
    maintenance.run_maintenance()
    assert found(alice, "okapi") == []
    assert found(alice, "zebra") == made[::-1]


def test_a_text_of_too_many_words_is_taken_in_all_the_same(alice: Person, make) -> None:
    recording = make(alice, summary=" ".join(f"word{n}" for n in range(90_000)), notes="okapi " * 100_000)
    changed = {"summary": " ".join(f"{n:x}" * 2 for n in range(90_000))}
    assert alice.patch(f"/api/v1/recordings/{recording}", json=changed).status_code == 200
    indexing.catch_up()  # long texts are indexed a moment later
    assert found(alice, "okapi") == [recording]


# -- costs


def test_a_page_of_twenty_takes_as_many_statements_as_one_of_one(
    alice: Person, bob: Person, make, share
) -> None:
    for person in (bob, alice):
        for _ in range(10):
            recording_id = make(person, summary="the walrus", notes="the walrus")
            if person is bob:
                share(recording_id, alice)
    statements: list[str] = []
    listen = (db.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    event.listen(*listen)
    try:
        counts = []
        for per_page in (1, 20):
            alice.get("/api/v1/search?q=walrus")  # the token is known from now on
            statements.clear()
            answer = alice.get(f"/api/v1/search?q=walrus&per_page={per_page}")
            assert len(answer.json["results"]) == per_page
            counts.append(len(statements))
    finally:
        event.remove(*listen)
    assert counts[0] == counts[1] <= 11, statements
