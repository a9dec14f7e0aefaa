"""A file of 25 MB that decodes to months and does not say so: taken, and then failed by the job, typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.intake import recordings
from tests.intake.server import IntakeServer, wait_for

pytestmark = pytest.mark.stack


def test_months_without_a_length_fail_with_a_typed_error(tmp_path: Path) -> None:
    data = recordings.flac_of_silence(25_000_000, tells_length=False)
    limits = {"SPEAKR_MAX_FILE_SIZE_MB": "30", "SPEAKR_MAX_DURATION_HOURS": "0.5"}
    with IntakeServer(tmp_path, **limits) as server:
        answer = server.upload(data, "night.flac")
        assert answer.status_code == 202, answer.text
        path = f"/api/v1/recordings/{answer.json()['id']}"
        server.start_worker()
        wait_for(lambda: server.get(f"{path}/status")["status"] == "FAILED", "failed", 60)
        message = server.get(path)["error_message"]
        assert "longer than" in message
        assert "/" not in message
        wait_for(
            lambda: not any(name.startswith("speakr-job") for name in server.kept().temporary),
            "no decoded audio left behind",
        )
        assert len(server.kept().blobs) == 1
        assert "Traceback" not in server.log
