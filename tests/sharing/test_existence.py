"""A recording of another user is not distinguishable from one that does not exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Person

MISSING = 1_000_000


@pytest.mark.parametrize("end", ["", "/transcript", "/status", "/events", "/speakers"])
def test_the_same_queries_are_sent_for_foreign_and_for_missing_recordings(
    end: str, alice: Person, bob: Person, upload: Callable[..., Any], count_statements: Callable[[], Any]
) -> None:
    foreign = upload(bob).json["id"]
    numbers, bodies = [], []
    for recording in (foreign, MISSING):
        alice.get(f"/api/v1/recordings/{recording}{end}")  # the first use of a token is written down
        with count_statements() as counted:
            answer = alice.get(f"/api/v1/recordings/{recording}{end}")
        assert answer.status_code == 404
        numbers.append(counted.number)
        bodies.append({**answer.json, "request_id": ""})
    assert numbers[0] == numbers[1]
    assert bodies[0] == bodies[1]
