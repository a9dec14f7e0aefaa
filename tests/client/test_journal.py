"""The journal of a watched folder belongs to one process and one library."""

from __future__ import annotations

from pathlib import Path

import pytest

from speakr.client import ClientError
from speakr.client.journal import Journal

ME = "ann (user 1) at http://here"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "recordings"
    made.mkdir()
    return made


def test_one_watch_at_a_time(folder: Path) -> None:
    with Journal(folder, ME), pytest.raises(ClientError, match="Another process watches"):
        Journal(folder, ME)
    Journal(folder, ME).__exit__()


def test_another_library_is_not_taken_for_this_one(folder: Path) -> None:
    Journal(folder, ME).__exit__()
    with pytest.raises(ClientError, match="went to ann"):
        Journal(folder, "bob (user 2) at http://here")
