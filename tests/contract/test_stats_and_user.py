"""Statistics, the widget that shows them, and the caller."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest

from speakr.services.system import stats
from tests.contract.library import Library, check, check_error
from tests.contract.shapes import MOMENT, Maybe, unlike

NUMBERS: dict[str, Any] = {
    "recordings": {"total": 1, "completed": 1, "processing": 1, "pending": 1, "failed": 1},
    "storage": {"used_bytes": 1, "used_human": "5.0 GB"},
    "queue": {"jobs_queued": 1, "jobs_processing": 1},
    "tokens": {"used_this_month": 1, "budget": 1, "percentage": 1.5},
    "transcription": {
        "used_this_month_seconds": 1,
        "used_this_month_minutes": 1,
        "budget_seconds": 1,
        "budget_minutes": 1,
        "percentage": 1.5,
        "estimated_cost": 1.5,
    },
    "activity": {"recordings_today": 1, "last_transcription": MOMENT},
}
USER: dict[str, Any] = {
    "id": 1,
    "username": "a name",
    "email": "an address",
    "name": "a name",
    "job_title": "a title",
    "company": "a name",
    "is_admin": False,
    "email_verified": True,
    "sso_provider": None,
    "can_share_publicly": True,
    "preferences": {
        "ui_language": "en",
        "transcription_language": "en",
        "output_language": "en",
        "extract_events": True,
        "auto_speaker_labelling": True,
        "auto_speaker_labelling_threshold": 0.75,
        "auto_summarization": True,
        "show_timestamps_simple_view": False,
        "editor_autosave": True,
        "diarize": True,
    },
    "group_memberships": [{"group_id": 1, "group_name": "a name", "role": "admin", "joined_at": MOMENT}],
}
WIDGET = (
    "recordings.completed",
    "storage.used_human",
    "tokens.percentage",
    "transcription.percentage",
    "activity.recordings_today",
)
"""The fields of the documented homepage widget."""


@pytest.fixture
def limited(library: Library) -> Library:
    budgets = {"token_budget": 1_000, "transcription_budget_minutes": 60}
    library.make("PATCH", "/admin/users/{alice}", budgets, as_="root")
    stats.forget()
    return library


def test_statistics(limited: Library) -> None:
    check(limited, "GET", "/stats", None, 200, NUMBERS)
    body = limited.make("GET", "/stats")
    assert body["recordings"]["total"] == sum(
        body["recordings"][name] for name in ("completed", "processing", "pending", "failed")
    )


def test_statistics_without_budgets(library: Library) -> None:
    body = library.make("GET", "/stats")
    unlimited = {
        **NUMBERS,
        "tokens": NUMBERS["tokens"] | {"budget": Maybe(1)},
        "transcription": NUMBERS["transcription"] | {"budget_seconds": Maybe(1), "budget_minutes": Maybe(1)},
    }
    assert unlike(unlimited, body) == []
    assert (body["tokens"]["budget"], body["transcription"]["budget_minutes"]) == (None, None)


def test_statistics_of_all_users(library: Library) -> None:
    body = library.make("GET", "/stats?scope=all", as_="root")
    assert unlike({"users": {"total": 1, "active": 1}, "recordings": NUMBERS["recordings"]}, body) == []


def test_the_widget_of_a_new_user_has_all_its_fields(library: Library) -> None:
    for person in ("alice", "lee"):
        body = library.make("GET", "/stats", as_=person)
        for name in WIDGET:
            shown = reduce(lambda found, key: found[key], name.split("."), body)
            assert shown is not None, (person, name)
            assert isinstance(shown, int | float | str)


def test_the_user(library: Library) -> None:
    profile = {"email": "alice@example.com", "name": "Alice", "job_title": "t", "company": "c"}
    languages = {"transcription_language": "en", "output_language": "en"}
    library.make("PATCH", "/users/me", {**profile, "preferences": languages})
    check(library, "GET", "/users/me", None, 200, USER)


def test_the_user_without_a_profile(library: Library) -> None:
    names = ("email", "name", "job_title", "company")
    expected = {**USER, **{name: Maybe("text") for name in names}, "group_memberships": []}
    expected["preferences"] = USER["preferences"] | {
        "transcription_language": Maybe("en"),
        "output_language": Maybe("en"),
    }
    check(library, "GET", "/users/me", None, 200, expected, as_="lee")


@pytest.mark.parametrize("threshold", [0.5, "low", "medium", "high"])
def test_a_threshold_may_be_given_as_a_word_and_is_a_number(library: Library, threshold: Any) -> None:
    library.make("PATCH", "/users/me", {"preferences": {"auto_speaker_labelling_threshold": threshold}})
    shown = library.make("GET", "/users/me")["preferences"]["auto_speaker_labelling_threshold"]
    assert isinstance(shown, float)
    assert (shown == threshold) is isinstance(threshold, float)


def test_auto_summarization(library: Library) -> None:
    path = "/settings/auto-summarization"
    check(library, "PUT", path, {"enabled": False}, 200, {"success": True, "auto_summarization": False})


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("GET", "/stats?scope=all", None, 403, "Admin access required for global stats"),
        ("GET", "/stats?scope=bogus", None, 400, "scope is user or all."),
        ("PUT", "/settings/auto-summarization", {}, 400, "enabled field is required"),
    ],
)
def test_errors(library: Library, method: str, path: str, body: Any, status: int, sentence: str) -> None:
    check_error(library, method, path, body, status, sentence)
