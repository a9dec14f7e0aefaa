"""Uploads from a URL through real processes, one of which is killed in the middle."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.crash.deployment import children_of
from tests.intake.file_server import FileServer
from tests.intake.server import MEGABYTE, IntakeServer, wait_for
from tests.intake.test_resumable import noisy_wav, stored_sha256
from tests.storage.conftest import s3_url

__all__ = ["s3_url"]

pytestmark = pytest.mark.stack

SIZE = 24 * MEGABYTE
COUNTED = 16 * MEGABYTE
HOLDS_AT = 20 * MEGABYTE
SETTINGS = {
    "SPEAKR_MAX_FILE_SIZE_MB": "128",
    "SPEAKR_FETCH_HOST_ALLOWLIST": "127.0.0.0/8",
    "SPEAKR_FETCH_IDLE_SECONDS": "120",
}


@pytest.fixture
def on_local_disk(tmp_path: Path) -> Iterator[IntakeServer]:
    with IntakeServer(tmp_path, **SETTINGS) as made:
        yield made


@pytest.fixture
def on_s3(tmp_path: Path, s3_url: str, own_postgres_url: str) -> Iterator[IntakeServer]:
    """The other storage on the other database."""
    keys = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    client = boto3.client(
        "s3", endpoint_url=s3_url, aws_access_key_id="testing", aws_secret_access_key="testing",
        region_name="us-east-1",
    )  # fmt: skip
    bucket = f"b-{secrets.token_hex(6)}"
    client.create_bucket(Bucket=bucket)
    client.close()
    with IntakeServer(
        tmp_path,
        **keys,
        **SETTINGS,
        SPEAKR_STORAGE_URL=f"s3://{bucket}/some",
        SPEAKR_S3_ENDPOINT_URL=s3_url,
        DATABASE_URL=own_postgres_url,
    ) as made:
        yield made


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("place", "killed"), [("on_local_disk", "worker"), ("on_s3", "horse")])
def test_a_fetch_goes_on_after_a_kill(request: pytest.FixtureRequest, place: str, killed: str) -> None:
    server: IntakeServer = request.getfixturevalue(place)
    audio = noisy_wav(SIZE)
    with FileServer(audio, HOLDS_AT) as remote:
        worker = server.start_worker()
        made = server.request("POST", "/api/v1/recordings/from-url", json={"url": remote.url})
        assert made.status_code == 202, made.text
        path = f"/api/v1/uploads/{made.json()['id']}"
        wait_for(lambda: server.get(path)["received_bytes"] >= COUNTED, "two steps are stored")
        before = server.get(path)
        assert (before["state"], before["size_bytes"]) == ("fetching", SIZE)
        if killed == "worker":
            kill(worker.pid, *children_of(worker.pid))
            worker.wait()
            server.start_worker()
        else:
            kill(*children_of(worker.pid))
        found = wait_for(
            lambda: (now := server.get(path))["state"] in {"completed", "failed"} and now, "it ends"
        )
        assert (found["state"], found["error"], found["received_bytes"]) == ("completed", None, SIZE)
        assert remote.ranges == [None, f"bytes={before['received_bytes']}-"]
    assert stored_sha256(server, found["recording_id"]) == hashlib.sha256(audio).hexdigest()
    assert [each["id"] for each in server.get("/api/v1/recordings")["recordings"]] == [found["recording_id"]]
