"""`speakr insights`, against a server with scripted responses."""

from __future__ import annotations

import json
from typing import Any

from tests.client.conftest import Run
from tests.client.stub import Stub


def insights(**more: Any) -> dict[str, Any]:
    source = {"segment_id": 3, "start_time": 65.2, "end_time": 70.0, "speaker": "Ann", "quote": "a release"}
    claim = {"sources": [source], "unverified": False}
    return {
        "has_insights": True,
        "key_points": [{"text": "The release\nmoves\x1b[31m to May.", **claim}],
        "action_items": [
            {"text": "Send the draft", "owner": "Ann", "due": "by Friday", "due_at": None, **claim},
            {"text": "Book a room", "owner": None, "due": None, "due_at": None, "sources": [], "unverified": True},
        ],
        "chapters": [{"title": "Budget", "start_time": 65.2, "end_time": 99.0, "sources": [source]}],
        "topics": [],
        "coverage": 1.0,
        "engine": "fake",
        "is_extractive": False,
        "is_current": True,
        "created_at": "2026-11-21T10:41:13Z",
        **more,
    }  # fmt: skip


def test_insights(logged_in: Stub, run: Run) -> None:
    logged_in.will(insights())
    printed = run("insights", 7)
    assert printed.stdout == (
        "Key points\n     1:05  The release moves\ufffd[31m to May.\n\n"
        "Action items\n     1:05  Ann: Send the draft (by Friday)\n           Book a room [unverified]\n\n"
        "Chapters\n     1:05  Budget\n\nTopics\n  none\n"
    )
    assert printed.stderr == ""
    assert logged_in.asked[0].path == "/api/v1/recordings/7/insights"


def test_insights_that_are_not_the_whole_truth_say_so(logged_in: Stub, run: Run) -> None:
    logged_in.will(insights(coverage=0.834, is_current=False))
    assert run("insights", 7).stderr == (
        "The transcript has changed since.\n83% of the transcript was read.\n"
    )


def test_insights_as_json_and_none(logged_in: Stub, run: Run) -> None:
    logged_in.will(insights(), insights(has_insights=False))
    assert json.loads(run("insights", 7, "--json").stdout) == insights()
    assert run("insights", 7, exit_code=1).stderr == "Error: Recording 7 has no insights.\n"
