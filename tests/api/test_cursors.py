"""Follow a list by cursor, by change time, by ids, and in what others share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from speakr.db import unit_of_work
from speakr.domain.recordings import RecordingStatus
from speakr.models import Recording, RecordingShare, RecordingTag, Tag
from speakr.services.recordings.listing import SORT_COLUMNS
from speakr.services.system import system_settings
from tests.conftest import Person, wav

URL = "/api/v1/recordings"
START = datetime(2024, 1, 1, tzinfo=UTC)


def fill(person: Person, number: int) -> None:
    """Write rows with many equal values, some without meeting dates."""
    with unit_of_work() as session:
        session.execute(
            insert(Recording),
            [
                {
                    "user_id": person.id,
                    "title": f"title {index % 3}",
                    "original_filename": "x.wav",
                    "mime_type": "audio/wav",
                    "file_size": index % 4,
                    "sha256": "0" * 64,
                    "status": list(RecordingStatus)[index % 5],
                    "created_at": START + timedelta(days=index // 2),
                    "updated_at": START + timedelta(hours=index // 5),
                    "meeting_date": None if index % 3 == 0 else START + timedelta(days=index % 2),
                }
                for index in range(number)
            ],
        )


def follow(person: Person, **query: Any) -> list[int]:
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        answer = person.get(URL, query_string={"per_page": 4, **query, **cursor}).json
        found += [item["id"] for item in answer["recordings"]]
        following = answer["pagination"]["next_cursor"]
        assert answer["pagination"]["has_next"] is (following is not None)
        if following is None:
            return found
        cursor = {"cursor": following}


@pytest.mark.parametrize("sort_order", ["asc", "desc"])
@pytest.mark.parametrize("sort_by", SORT_COLUMNS)
def test_a_cursor_goes_through_every_order_once(alice: Person, sort_by: str, sort_order: str) -> None:
    fill(alice, 23)
    whole = alice.get(URL, query_string={"per_page": 100, "sort_by": sort_by, "sort_order": sort_order}).json
    expected = [item["id"] for item in whole["recordings"]]
    assert len(expected) == 23
    assert follow(alice, sort_by=sort_by, sort_order=sort_order) == expected


def test_what_comes_meanwhile_is_neither_repeated_nor_missed(alice: Person) -> None:
    fill(alice, 8)
    first = alice.get(f"{URL}?per_page=4").json
    fill(alice, 12)  # newer ones come before, older ones behind
    rest = alice.get(f"{URL}?per_page=100&cursor={first['pagination']['next_cursor']}").json["recordings"]
    seen = [item["id"] for item in first["recordings"]]
    assert not {item["id"] for item in rest} & set(seen)
    last = (first["recordings"][-1]["created_at"], seen[-1])
    assert all((item["created_at"], item["id"]) < last for item in rest)


def test_the_link_header_leads_on(alice: Person) -> None:
    fill(alice, 9)
    first = alice.get(f"{URL}?per_page=4&sort_by=title")
    cursor = first.json["pagination"]["next_cursor"]
    second = alice.get(f"{URL}?per_page=4&sort_by=title&cursor={cursor}")
    links = second.headers["Link"]
    assert f"cursor={second.json['pagination']['next_cursor']}" in links
    assert 'rel="next"' in links
    assert second.json["pagination"]["page"] is None
    last = alice.get(f"{URL}?per_page=100&sort_by=title&cursor={cursor}")
    assert 'rel="next"' not in last.headers["Link"]


@pytest.mark.on_sqlite
@pytest.mark.parametrize("cursor", ["x", "AAAA", "W10", "eyJhIjoxfQ", "bnVsbA", "_" * 900, "", "%00"])
def test_a_cursor_that_is_none_is_refused(alice: Person, cursor: str) -> None:
    answer = alice.get(f"{URL}?cursor={cursor}")
    assert answer.status_code == 400
    assert "cursor" in answer.json["errors"]


def test_a_cursor_belongs_to_its_order(alice: Person) -> None:
    fill(alice, 5)
    cursor = alice.get(f"{URL}?per_page=2").json["pagination"]["next_cursor"]
    answer = alice.get(f"{URL}?cursor={cursor}&sort_by=title")
    assert (answer.status_code, answer.json["code"]) == (400, "cursor_invalid")


def test_a_cursor_shows_only_ones_own(alice: Person, bob: Person) -> None:
    fill(alice, 5)
    fill(bob, 5)
    cursor = alice.get(f"{URL}?per_page=2").json["pagination"]["next_cursor"]
    mine = {item["id"] for item in alice.get(f"{URL}?per_page=100").json["recordings"]}
    his = {item["id"] for item in bob.get(f"{URL}?cursor={cursor}").json["recordings"]}
    assert not mine & his


def test_what_changed_since(alice: Person) -> None:
    fill(alice, 10)
    since = (START + timedelta(hours=1)).isoformat()
    found = alice.get(URL, query_string={"updated_since": since, "sort_by": "updated_at"}).json
    assert found["pagination"]["total"] == 5
    changed = found["recordings"][0]["id"]
    before = datetime.now(UTC)
    alice.patch(f"{URL}/{changed}", json={"title": "new"})
    later = alice.get(URL, query_string={"updated_since": before.isoformat()}).json["recordings"]
    assert [item["id"] for item in later] == [changed]
    assert alice.get(f"{URL}?updated_since=yesterday").json["errors"].keys() == {"updated_since"}


def test_only_these_ids(alice: Person, bob: Person) -> None:
    fill(alice, 3)
    fill(bob, 1)
    mine = [item["id"] for item in alice.get(URL).json["recordings"]]
    his = bob.get(URL).json["recordings"][0]["id"]
    found = alice.get(f"{URL}?ids={mine[0]},{mine[2]},{his}").json["recordings"]
    assert [item["id"] for item in found] == [mine[0], mine[2]]
    for wrong in ("", "a", "1,,2", "0", "-1", "1" * 20, ",".join(["1"] * 101)):
        assert alice.get(f"{URL}?ids={wrong}").json["errors"].keys() == {"ids"}


def test_what_others_share_is_listed_apart_and_without_their_marks(
    alice: Person, bob: Person, make_person: Callable[..., Person]
) -> None:
    fill(bob, 3)
    first, second, _ = (item["id"] for item in bob.get(URL).json["recordings"])
    with unit_of_work() as session:
        session.add_all([RecordingShare(recording_id=number, user_id=alice.id) for number in (first, second)])
        session.add(Tag(id=1, user_id=bob.id, name="secret"))
        session.flush()
        session.add(RecordingTag(recording_id=first, tag_id=1, position=1))
    assert alice.get(URL).json["recordings"] == []
    shared = alice.get(f"{URL}?shared=true").json
    assert [item["id"] for item in shared["recordings"]] == [first, second]
    assert all(
        (item["tags"], item["folder"], item["is_inbox"]) == ([], None, False) for item in shared["recordings"]
    )
    for probe in ("tag_id=1", "tag=secret", "inbox=true", "starred=true"):
        assert alice.get(f"{URL}?shared=true&{probe}").json["recordings"] == []
    assert make_person("carol").get(f"{URL}?shared=true").json["recordings"] == []


@pytest.mark.parametrize(("noun", "field"), [("tags", "tag_id"), ("folders", "folder_id")])
def test_losing_what_it_was_filed_under_is_a_change(
    alice: Person, upload: Callable[..., Any], noun: str, field: str
) -> None:
    with unit_of_work():
        system_settings.put("enable_folders", value=True)
    filed = alice.post(f"/api/v1/{noun}", json={"name": "gone soon"}).json["id"]
    changed = upload(alice, **{field: filed}).json["id"]
    upload(alice, wav(frequency=330))
    before = datetime.now(UTC)
    assert alice.delete(f"/api/v1/{noun}/{filed}").status_code in {200, 204}
    later = alice.get(URL, query_string={"updated_since": before.isoformat()}).json["recordings"]
    assert [item["id"] for item in later] == [changed]
