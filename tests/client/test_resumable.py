"""Large files go in pieces, and a client that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from speakr.client import ApiError, FileTrouble, Speakr
from speakr.client import resumable as sending
from tests.client.conftest import Run
from tests.conftest import wav
from tests.intake.cutting_proxy import CuttingProxy
from tests.intake.server import ALICE, MEGABYTE, ROOT, IntakeServer, wait_for

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    with IntakeServer(tmp_path_factory.mktemp("server"), SPEAKR_MAX_FILE_SIZE_MB="64") as made:
        yield made


@pytest.fixture
def alice(server: IntakeServer) -> Iterator[Speakr]:
    with Speakr(f"http://127.0.0.1:{server.port}", ALICE) as made:
        yield made


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "long talk.wav"
    path.write_bytes(wav(300.0))  # 9.6 MB
    return path


def stored_sha256(server: IntakeServer, number: int) -> str:
    return hashlib.sha256(server.request("GET", f"/api/v1/recordings/{number}/audio").content).hexdigest()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_in_pieces_becomes_a_recording(
    server: IntakeServer, alice: Speakr, recording: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sending, "PIECE_BYTES", MEGABYTE)
    seen: list[int] = []
    made = alice.upload(
        recording, title="In pieces", resumable=True, remember_in=tmp_path / "memory",
        progress=lambda sent, _: seen.append(sent),
    )  # fmt: skip
    assert made["title"] == "In pieces"
    assert made["original_filename"] == "long talk.wav"
    assert stored_sha256(server, made["id"]) == sha256(recording)
    assert seen == sorted(seen)
    assert seen[-1] == recording.stat().st_size
    assert list((tmp_path / "memory").iterdir()) == []


def test_files_over_the_bound_go_in_pieces_by_themselves(
    server: IntakeServer, alice: Speakr, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Path] = []
    run = sending.ResumableUpload.run
    monkeypatch.setattr(sending.ResumableUpload, "run", lambda self: used.append(self.path) or run(self))
    alice.upload(recording)
    assert used == []
    monkeypatch.setattr("speakr.client.api.RESUMABLE_BYTES", MEGABYTE)
    alice.upload(recording)
    assert used == [recording]
    alice.upload(recording, idempotency_key="one request")
    assert used == [recording]


def test_cut_connections_are_gone_over(server: IntakeServer, recording: Path) -> None:
    cuts = [100_000, 2 * MEGABYTE, 10, 3 * MEGABYTE, 500_000]
    with (
        CuttingProxy(server.port, cuts) as proxy,
        Speakr(f"http://127.0.0.1:{proxy.port}", ALICE, sleep=lambda _: None) as alice,
    ):
        made = alice.upload(recording, resumable=True)
        assert proxy.cut_count >= 4
    assert stored_sha256(server, made["id"]) == sha256(recording)


def test_a_killed_client_goes_on_where_it_was(
    server: IntakeServer, run: Run, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = server.get("/api/v1/recordings")["pagination"]["total"]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"],
        "SPEAKR_URL": f"http://127.0.0.1:{server.port}",
        "SPEAKR_TOKEN": ALICE,
    }
    script = (
        "import time; from speakr.client import resumable as r; r.PIECE_BYTES = 1 << 20; real = r.Piece.__iter__\n"
        "def slow(self):\n"
        "    for block in real(self):\n"
        "        time.sleep(0.1); yield block\n"
        "r.Piece.__iter__ = slow\n"
        "from speakr.cli import main; main()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, "upload", "--resume", str(recording)], env=environment, cwd=ROOT
    )
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "speakr" / "uploads"
    try:
        (kept,) = wait_for(lambda: list(folder.glob("*.json")), "the address is kept")
        address = json.loads(kept.read_text())["path"]
        wait_for(lambda: server.get(f"/api/v1{address}")["received_bytes"] >= 2 * MEGABYTE, "two pieces")
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    monkeypatch.setenv("SPEAKR_URL", environment["SPEAKR_URL"])
    monkeypatch.setenv("SPEAKR_TOKEN", ALICE)
    made = json.loads(run("upload", "--resume", recording, "--json").stdout)
    state = server.get(f"/api/v1{address}")
    assert (state["state"], state["recording_id"]) == ("completed", made["id"])
    assert server.get("/api/v1/recordings")["pagination"]["total"] == before + 1
    assert stored_sha256(server, made["id"]) == sha256(recording)
    assert list(folder.iterdir()) == []


def test_what_is_no_media_is_refused_once(alice: Speakr, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"only words " * 1000)
    for _ in range(2):
        with pytest.raises(ApiError) as caught:
            alice.upload(path, resumable=True, remember_in=tmp_path / "memory")
        assert caught.value.code == "not_media"


def test_a_file_that_changes_is_given_up(
    server: IntakeServer, alice: Speakr, recording: Path, tmp_path: Path
) -> None:
    def meddle(sent: int, _: int) -> None:
        if sent < MEGABYTE:
            recording.write_bytes(b"something else")

    before = server.get("/api/v1/recordings")["pagination"]["total"]
    with pytest.raises(FileTrouble):
        alice.upload(recording, resumable=True, remember_in=tmp_path / "memory", progress=meddle)
    assert list((tmp_path / "memory").iterdir()) == []
    assert server.get("/api/v1/recordings")["pagination"]["total"] == before


def test_an_upload_that_expired_begins_anew(
    server: IntakeServer, alice: Speakr, recording: Path, tmp_path: Path
) -> None:
    memory = sending.Memory(tmp_path / "memory")
    mark = sending.Mark.of(recording)
    modified = str(recording.stat().st_mtime_ns // 1_000_000)
    kept = memory.file_of(
        alice.base_url, recording.resolve(), mark.inode, mark.size, mark.modified_ns, recording.name,
        [("file_time_hint", modified)],
    )  # fmt: skip
    memory.keep(kept, "/uploads/999999")
    made = alice.upload(recording, resumable=True, remember_in=tmp_path / "memory")
    assert stored_sha256(server, made["id"]) == sha256(recording)
    assert list((tmp_path / "memory").iterdir()) == []
