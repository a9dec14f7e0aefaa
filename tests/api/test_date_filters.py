"""The end of a list by time."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.api.library import write
from tests.conftest import Person


def found(person: Person, query: str) -> list[int]:
    return [each["id"] for each in person.get(f"/api/v1/recordings?{query}").json["recordings"]]


def test_the_time_that_a_recording_shows_finds_it(alice: Person) -> None:
    made = write(alice, created_at=datetime(2024, 1, 15, 15, 0, 2, 999_999, tzinfo=UTC))
    shown = alice.get(f"/api/v1/recordings/{made}").json["created_at"]
    assert shown == "2024-01-15T15:00:02Z"
    assert found(alice, f"date_to={shown}") == [made]
    assert found(alice, f"date_from={shown}&date_to={shown}") == [made]
    assert found(alice, "date_to=2024-01-15T15:00:02.5Z") == []
    assert found(alice, "date_to=2024-01-15T15:00:01Z") == []
