"""Two editors at once: one succeeds, the other gets a conflict, and nothing is lost."""

from __future__ import annotations

import threading

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, release
from speakr.domain.errors import NotModifiedSince
from speakr.domain.permissions import DEFAULT_SCOPES, Actor
from speakr.models import Event
from speakr.services.corrections import corrections, followers
from speakr.services.search import indexing
from tests.api.corrections import Transcript, positions, revision, spoken
from tests.conftest import Person


@pytest.fixture
def transcript(alice: Person) -> Transcript:
    return Transcript(alice, spoken(alice))


def test_a_correction_of_what_was_read_happens(transcript: Transcript) -> None:
    tag = transcript.tag()
    answer = transcript.put({"text": "Good evening."}, headers={"If-Match": tag})
    assert answer.status_code == 200
    assert answer.headers["ETag"] == transcript.tag() != tag


def test_a_correction_of_an_older_text_is_refused_with_the_present_tag(transcript: Transcript) -> None:
    tag = transcript.tag()
    transcript.patch(0, {"text": "Good evening."})
    for answer in (
        transcript.put({"text": "Good night."}, headers={"If-Match": tag}),
        transcript.post("segments/merge", {"first": 0, "last": 1}, headers={"If-Match": tag}),
        transcript.post("undo", headers={"If-Match": tag}),
    ):
        assert (answer.status_code, answer.json["code"]) == (412, "precondition_failed")
        assert answer.headers["ETag"] == transcript.tag()
    assert revision(transcript.id) == 1


def test_corrections_of_different_segments_do_not_hinder_each_other(transcript: Transcript) -> None:
    def tag(index: int) -> str:
        return str(transcript.person.get(f"{transcript.path}/segments/{index}").headers["ETag"])

    first, second = tag(0), tag(1)
    assert transcript.patch(0, {"text": "Good evening."}, headers={"If-Match": first}).status_code == 200
    assert transcript.patch(1, {"text": "Hello."}, headers={"If-Match": second}).status_code == 200
    assert transcript.patch(1, {"text": "Hi."}, headers={"If-Match": second}).status_code == 412
    third = tag(2)
    transcript.post("segments/0/split", {"word": 1})
    assert transcript.patch(2, {"text": "Hi."}, headers={"If-Match": third}).status_code == 412
    assert transcript.patch(2, {"text": "Hi."}, headers={"If-Match": "*"}).status_code == 200


def test_a_repeated_request_happens_once(transcript: Transcript) -> None:
    headers = {"Idempotency-Key": "one", "If-Match": transcript.tag()}
    for _ in range(2):
        answer = transcript.post("segments/merge", {"first": 0, "last": 1}, headers=headers)
        assert (answer.status_code, answer.json["revision"]) == (200, 1)
    assert len(transcript.said()) == 2


def _together(app: Flask, work: list) -> list:
    """Run functions in one thread each, at the same time; return their results or errors."""
    barrier = threading.Barrier(len(work))
    outcomes: list = [None] * len(work)

    def run(number: int) -> None:
        with app.app_context():
            try:
                barrier.wait()
                outcomes[number] = work[number]()
            except Exception as error:  # noqa: BLE001 - looked at by the test
                outcomes[number] = error
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    release()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def _actor(person: Person) -> Actor:
    return Actor(person.id, person.name, is_admin=False, scopes=DEFAULT_SCOPES)


def test_without_conditions_both_corrections_are_kept(
    app: Flask, transcript: Transcript, alice: Person
) -> None:
    def change(index: int):
        return lambda: corrections.change_segment(
            _actor(alice), transcript.id, index, {"text": f"Changed {index}."}, revision=None
        )

    outcomes = _together(app, [change(0), change(1), change(2)])
    assert sorted(done.revision for done in outcomes) == [1, 2, 3]
    assert transcript.said() == ["Changed 0.", "Changed 1.", "Changed 2."]
    assert transcript.history()["total"] == 3


def test_of_two_that_name_a_revision_one_wins(app: Flask, transcript: Transcript, alice: Person) -> None:
    def change(text: str):
        return lambda: corrections.replace(_actor(alice), transcript.id, {"text": text}, revision=0)

    outcomes = _together(app, [change("First."), change("Second.")])
    assert sorted(type(done).__name__ for done in outcomes) == ["Edited", NotModifiedSince.__name__]
    assert transcript.said() in (["First."], ["Second."])
    assert revision(transcript.id) == 1


def test_a_structural_change_and_a_text_change_at_once(
    app: Flask, transcript: Transcript, alice: Person
) -> None:
    who = _actor(alice)
    outcomes = _together(
        app,
        [
            lambda: corrections.split(who, transcript.id, 2, {"word": 2}, revision=None),
            lambda: corrections.merge(who, transcript.id, 0, 1, revision=None),
            lambda: corrections.set_speaker(
                who, transcript.id, {"first": 0, "speaker": "Jane"}, revision=None
            ),
        ],
    )
    assert not [done for done in outcomes if isinstance(done, RuntimeError)]
    count = len(transcript.said())
    assert positions(transcript.id) == list(range(count))


@pytest.mark.parametrize("where", ["index", "record", "_schedule"])
def test_a_failure_on_the_way_leaves_everything_as_it_was(
    transcript: Transcript, alice: Person, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def die(*_: object, **__: object) -> None:
        raise OSError("no more")

    place = {"index": indexing, "record": followers.events, "_schedule": followers}[where]
    before = transcript.segments(words="true")
    with monkeypatch.context() as patch:
        patch.setattr(place, where, die)
        with pytest.raises(OSError, match="no more"):
            corrections.split(_actor(alice), transcript.id, 0, {"word": 1}, revision=None)
    assert transcript.segments(words="true") == before
    assert (revision(transcript.id), transcript.history()["total"]) == (0, 0)
    assert db.session.scalars(select(Event)).all() == []
