"""`speakr correct`, against a server with scripted responses."""

from __future__ import annotations

import json
from pathlib import Path

from tests.client.conftest import Run
from tests.client.stub import Stub

DONE = {"success": True, "revision": 3, "segments_changed": 1, "words_added": 2, "words_removed": 1}


def test_a_corrected_text_is_sent(logged_in: Stub, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "corrected.txt"
    file.write_text("[Ann]: Où ça?\n", "utf-8")
    logged_in.will(DONE)
    assert "Revision 3: 2 words added, 1 removed." in _printed(run("correct", "text", 7, file))
    (asked,) = logged_in.asked
    assert (asked.method, asked.path) == ("PUT", "/api/v1/recordings/7/transcript")
    assert json.loads(asked.body) == {"text": "[Ann]: Où ça?\n"}


def test_a_file_that_is_no_text_is_not_sent(logged_in: Stub, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "sound.wav"
    file.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read as UTF-8 text" in run("correct", "text", 7, file, exit_code=2).stderr
    assert logged_in.asked == []


def test_find_and_replace_goes_through_all_parts(logged_in: Stub, run: Run) -> None:
    def part(number: int, after: int | None) -> dict:
        example = {"segment_index": 0, "start_time": 0.0, "before": "an Austin", "after": "an Austen"}
        found = {"id": number, "title": "T\x1b[1m", "matches": 1, "revision": None, "error": None}
        return {
            "preview": True,
            "matches": 1,
            "next_after": after,
            "recordings": [{**found, "examples": [example]}],
        }

    logged_in.will(part(4, 4), part(9, None))
    printed = _printed(run("correct", "replace", "Austin", "Austen", "--tag-id", 2))
    assert "4 T\ufffd[1m: 1" in printed
    assert "    - an Austin\n    + an Austen" in printed
    bodies = [json.loads(asked.body) for asked in logged_in.asked]
    assert [(each["after_id"], each["preview"], each["tag_id"]) for each in bodies] == [
        (0, True, 2),
        (4, True, 2),
    ]
    assert run("correct", "replace", "a", "b", exit_code=2).stderr


def test_history_undo_and_redo(logged_in: Stub, run: Run) -> None:
    entry = {
        "revision": 1,
        "kind": "text",
        "username": None,
        "created_at": "2026-11-21T10:41:13Z",
        "segments_changed": 1,
        "words_added": 2,
        "words_removed": 1,
        "details": {},
    }
    logged_in.will(
        {"revision": 1, "undo_to": 0, "redo_to": None, "total": 1, "revisions": [entry]}, DONE, DONE
    )
    assert "+2 -1" in run("correct", "history", 7).stdout
    assert "Revision 3." in _printed(run("correct", "undo", 7))
    assert "Revision 3." in _printed(run("correct", "redo", 7))
    assert [asked.path.rpartition("/")[2] for asked in logged_in.asked] == ["history", "undo", "redo"]


def _printed(done: object) -> str:
    return f"{done.stdout}{done.stderr}"  # type: ignore[attr-defined] # as `Run` gives it
