"""Find and replace in the transcripts of many recordings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakr.db import unit_of_work
from speakr.domain.errors import Invalid
from speakr.domain.text_replacement import Replacement
from speakr.models import Folder, RecordingShare, RecordingTag, Tag
from speakr.services.corrections import replacing
from tests.api.corrections import Transcript, spoken
from tests.conftest import Person

BATCH = "/api/v1/recordings/batch/replace"


def replace(person: Person, **body: Any) -> Any:
    return person.post(BATCH, json={"find": "Miss Austin", "replace": "Miss Austen", **body})


def test_a_preview_shows_and_changes_nothing(alice: Person) -> None:
    first, second = spoken(alice, title="One"), spoken(alice, [("SPEAKER_00", "Nothing here.")])
    answer = replace(alice, recording_ids=[second, first])
    assert answer.status_code == 200
    assert answer.json == {
        "preview": True,
        "matches": 1,
        "recordings": [
            {
                "id": first,
                "title": "One",
                "matches": 1,
                "examples": [
                    {
                        "segment_index": 1,
                        "start_time": 10.0,
                        "before": "Hello Miss Austin here.",
                        "after": "Hello Miss Austen here.",
                    }
                ],
                "revision": None,
                "error": None,
            }
        ],
        "next_after": None,
    }
    assert Transcript(alice, first).history()["total"] == 0


def test_each_recording_is_changed_and_the_others_are_named(alice: Person, bob: Person) -> None:
    mine, theirs, shared, read_only = spoken(alice), spoken(bob), spoken(bob), spoken(bob)
    with unit_of_work() as session:
        session.add(RecordingShare(recording_id=shared, user_id=alice.id, can_edit=True))
        session.add(RecordingShare(recording_id=read_only, user_id=alice.id))
    answer = replace(alice, recording_ids=[mine, theirs, shared, read_only], preview=False)
    assert [(each["id"], each["revision"], each["error"]) for each in answer.json["recordings"]] == [
        (mine, 1, None),
        (theirs, None, "Not found"),
        (shared, 1, None),
        (read_only, None, "Permission denied"),
    ]
    transcript = Transcript(alice, mine)
    assert transcript.said()[1] == "Hello Miss Austen here."
    assert transcript.words(1)[2] == ("Austen", 12.0, 12.8, True)
    (entry,) = transcript.history()["revisions"]
    assert entry["details"] == {"find": "Miss Austin", "replace": "Miss Austen"}
    assert Transcript(bob, theirs).said()[1] == "Hello Miss Austin here."
    assert transcript.post("undo").status_code == 200


def test_ones_own_with_a_tag_or_in_a_folder(alice: Person, bob: Person) -> None:
    tagged, filed, other = spoken(alice), spoken(alice), spoken(alice)
    with unit_of_work() as session:
        tag, folder = Tag(user_id=alice.id, name="T"), Folder(user_id=alice.id, name="F")
        session.add_all([tag, folder])
        session.flush()
        session.add(RecordingTag(recording_id=tagged, tag_id=tag.id, position=0))
        from speakr.models import Recording

        session.get_one(Recording, filed).folder_id = folder.id
        tag_id, folder_id = tag.id, folder.id
    for where, number in (({"tag_id": tag_id}, tagged), ({"folder_id": folder_id}, filed)):
        assert [each["id"] for each in replace(alice, **where).json["recordings"]] == [number]
        assert replace(bob, **where).json["recordings"] == []
    assert Transcript(alice, other).history()["total"] == 0


def test_many_recordings_are_done_in_parts(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "MAX_RECORDINGS", 2)
    ids = [spoken(alice) for _ in range(5)]
    done: list[int] = []
    after = 0
    while after is not None:
        answer = replace(alice, recording_ids=ids, after_id=after).json
        done += [each["id"] for each in answer["recordings"]]
        after = answer["next_after"]
    assert done == ids


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"recording_ids": [1], "tag_id": 1},
        {"recording_ids": [1], "find": " \u0000"},
        {"recording_ids": [1], "find": "x" * 201},
        {"recording_ids": []},
        {"recording_ids": [1], "preview": "no"},
    ],
)
def test_bad_requests_are_refused(alice: Person, body: dict[str, Any]) -> None:
    assert replace(alice, **body).status_code == 400


@pytest.mark.parametrize(
    ("options", "text", "after"),
    [
        ({}, "Cat, cat and concat.", "dog, dog and concat."),
        ({"whole_words": False}, "Cat, cat and concat.", "dog, dog and condog."),
        ({"match_case": True}, "Cat, cat and concat.", "Cat, dog and concat."),
    ],
)
def test_case_and_whole_words(options: dict[str, bool], text: str, after: str) -> None:
    wanted = Replacement("cat", "dog", **{"match_case": False, "whole_words": True, **options})
    assert wanted.apply(text) == after


def test_several_words_and_scripts_without_spaces() -> None:
    assert (
        Replacement("a  b", "c", match_case=True, whole_words=True).apply("x a b, a\tb a bc") == "x c, c a bc"
    )
    assert Replacement("天", "夜", match_case=True, whole_words=True).apply("今天好") == "今夜好"
    assert Replacement("C++ (new)", "", match_case=True, whole_words=True).apply("in C++ (new)!") == "in !"
    with pytest.raises(Invalid):
        Replacement(" \n", "x", match_case=True, whole_words=True)


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=60))
def test_nothing_that_is_looked_for_is_a_pattern(find: str, replace: str, text: str) -> None:
    if len(find.split()) != 1 or find.strip() != find:
        return
    wanted = Replacement(find, replace, match_case=True, whole_words=False)
    assert wanted.count(text) == text.count(find)
    assert wanted.apply(text) == text.replace(find, " ".join(replace.split()))
