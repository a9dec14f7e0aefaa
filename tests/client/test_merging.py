"""`speakr merge` and `speakr cut`, against a server that says what is written down here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.client.conftest import Run
from tests.client.stub import Stub

NEW = {"id": 4, "title": "Both\x1b[1m", "status": "PENDING"}


def status(word: str, message: str | None = None) -> dict[str, Any]:
    return {"id": 4, "status": word, "error_message": message, "error_code": None}


def test_recordings_are_merged_in_the_order_given(logged_in: Stub, run: Run) -> None:
    logged_in.will(NEW)
    done = run("merge", 3, 1, 2, "--title", "Both", "--gap", "1.5", "--delete-originals")
    assert "Recording 4 is queued: Both\ufffd[1m" in done.stdout
    (asked,) = logged_in.asked
    assert (asked.method, asked.path) == ("POST", "/api/v1/recordings/merge")
    assert json.loads(asked.body) == {
        "recording_ids": [3, 1, 2], "title": "Both", "gap_seconds": 1.5, "keep_originals": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("0.25", 0.25), ("12:30", 750), ("1:02:03.5", 3723.5), ("90:5", None)]
)
def test_a_recording_is_cut_at_a_time(logged_in: Stub, run: Run, text: str, seconds: float | None) -> None:
    if seconds is None:
        assert "is no time" in run("cut", 3, "--at", text, exit_code=2).stderr
        assert logged_in.asked == []
        return
    logged_in.will({"recordings": [NEW, {**NEW, "id": 5}]})
    assert "Recording 5 is queued" in run("cut", 3, "--at", text, "--title", "a", "b").stdout
    (asked,) = logged_in.asked
    assert (asked.method, asked.path) == ("POST", "/api/v1/recordings/3/cut")
    assert json.loads(asked.body) == {"at": seconds, "titles": ["a", "b"], "keep_original": True}


def test_waiting_ends_with_the_outcome(logged_in: Stub, run: Run) -> None:
    logged_in.will(NEW)
    logged_in.will(status("COMPLETED"))
    assert "Recording 4 is done" in run("merge", 1, 2, "--wait").stdout
    logged_in.will(NEW)
    logged_in.will(status("FAILED", "Recording 1 has been deleted."))
    assert "Recording 1 has been deleted." in run("merge", 1, 2, "--wait", exit_code=1).stderr


def test_the_answer_is_printed_as_json(logged_in: Stub, run: Run) -> None:
    logged_in.will(NEW)
    assert json.loads(run("merge", 1, 2, "--json").stdout) == [NEW]
