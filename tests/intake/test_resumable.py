"""Resumable uploads through real processes: cut connections, a killed server, another client (tuspy)."""

from __future__ import annotations

import hashlib
import io
import random
import secrets
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from tusclient.client import TusClient

from tests.conftest import wav
from tests.intake.cutting_proxy import CuttingProxy
from tests.intake.server import ALICE, MEGABYTE, IntakeServer, read_answer, wait_for
from tests.storage.conftest import s3_url

__all__ = ["s3_url"]

pytestmark = pytest.mark.stack

UPLOADS = "/api/v1/uploads"
BYTES = "application/offset+octet-stream"
SIZE = 60 * MEGABYTE
RNG = random.Random(7)  # noqa: S311 - the same cuts on every run


def noisy_wav(size: int) -> bytes:
    """Return a stereo WAV file of noise, of exactly this size."""
    data = size - 44
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + data, b"WAVE", b"fmt ", 16, 1, 2, 44_100, 176_400, 4, 16,
        b"data", data,
    )  # fmt: skip
    return head + random.Random(9).randbytes(data)  # noqa: S311


@pytest.fixture(scope="module")
def audio() -> bytes:
    return noisy_wav(SIZE)


@pytest.fixture(scope="module")
def on_local_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    folder = tmp_path_factory.mktemp("resumable")
    limits = {"SPEAKR_MAX_FILE_SIZE_MB": "128", "SPEAKR_MAX_AUDIO_ONLY_VIDEO_SIZE_MB": "128"}
    with IntakeServer(folder, **limits) as made:
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
        SPEAKR_MAX_FILE_SIZE_MB="128",
        SPEAKR_STORAGE_URL=f"s3://{bucket}/some",
        SPEAKR_S3_ENDPOINT_URL=s3_url,
        DATABASE_URL=own_postgres_url,
    ) as made:
        yield made


def uploader(port: int, data: bytes, **options: Any) -> Any:
    client = TusClient(f"http://127.0.0.1:{port}{UPLOADS}", headers={"Authorization": f"Bearer {ALICE}"})
    return client.uploader(
        file_stream=io.BytesIO(data), metadata={"filename": "long.wav", "title": "Long"}, retry_delay=0.3,
        **options,
    )  # fmt: skip


def stored_sha256(server: IntakeServer, recording_id: int) -> str:
    answer = server.request("GET", f"/api/v1/recordings/{recording_id}/audio")
    assert answer.status_code == 200
    return hashlib.sha256(answer.content).hexdigest()


def the_recording(server: IntakeServer, url: str) -> int:
    path = f"{UPLOADS}/{url.rpartition('/')[2]}"
    body = server.get(path)
    assert (body["state"], body["error"]) == ("completed", None)
    return int(body["recording_id"])


@pytest.fixture
def ask_tus(on_local_disk: IntakeServer) -> Callable[..., requests.Response]:
    def ask(method: str, path: str, **headers: str) -> requests.Response:
        sent = {"Tus-Resumable": "1.0.0", **{name.replace("_", "-"): text for name, text in headers.items()}}
        return on_local_disk.request(method, path, headers=sent)

    return ask


def open_upload(ask_tus: Callable[..., requests.Response], size: int) -> str:
    answer = ask_tus("POST", UPLOADS, Upload_Length=str(size))
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def patch_head(path: str, offset: int, length: int, **headers: str) -> bytes:
    more = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
    return (
        f"PATCH {path} HTTP/1.1\r\nHost: speakr\r\nAuthorization: Bearer {ALICE}\r\nTus-Resumable: 1.0.0\r\n"
        f"Content-Type: {BYTES}\r\nUpload-Offset: {offset}\r\nContent-Length: {length}\r\n{more}\r\n"
    ).encode()


def offset_of(ask_tus: Callable[..., requests.Response], path: str) -> int:
    return int(ask_tus("HEAD", path).headers["Upload-Offset"])


@pytest.mark.parametrize("place", ["on_local_disk", "on_s3"])
def test_an_upload_survives_twenty_cuts_and_a_killed_server(
    request: pytest.FixtureRequest, place: str, audio: bytes
) -> None:
    server: IntakeServer = request.getfixturevalue(place)

    def kill_once(number: int) -> None:
        if number == 10:
            server.kill_web()
            server.start_web()

    cuts = [RNG.randrange(5 * MEGABYTE) for _ in range(20)]
    with CuttingProxy(server.port, cuts, kill_once) as proxy:
        sender = uploader(proxy.port, audio, chunk_size=7 * MEGABYTE, retries=100)
        sender.upload()
        assert proxy.cut_count == 20
    recording = the_recording(server, sender.url)
    assert stored_sha256(server, recording) == hashlib.sha256(audio).hexdigest()
    assert "Traceback" not in server.log


def test_an_upload_resumes_after_the_server_was_killed_in_the_middle_of_a_piece(
    on_local_disk: IntakeServer, ask_tus: Callable[..., requests.Response], audio: bytes
) -> None:
    path = open_upload(ask_tus, len(audio))
    with on_local_disk.connect() as connection:
        connection.sendall(patch_head(path, 0, len(audio)) + audio[: 20 * MEGABYTE])
        wait_for(lambda: offset_of(ask_tus, path) >= 16 * MEGABYTE, "two steps counted")
        on_local_disk.kill_web()
    on_local_disk.start_web()
    offset = offset_of(ask_tus, path)
    assert 16 * MEGABYTE <= offset <= 20 * MEGABYTE

    def go_on() -> bool:
        with on_local_disk.connect() as connection:
            connection.sendall(patch_head(path, offset, len(audio) - offset))
            threading.Thread(target=_send_all, args=(connection, audio[offset:]), daemon=True).start()
            status, _ = read_answer(connection)
        assert status in {204, 423}
        return status == 204

    wait_for(go_on, "the dead request's lock ends", 30)
    assert (
        stored_sha256(on_local_disk, the_recording(on_local_disk, path)) == hashlib.sha256(audio).hexdigest()
    )


def _send_all(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:
        return


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_cut_piece_keeps_what_arrived(
    on_local_disk: IntakeServer,
    ask_tus: Callable[..., requests.Response],
    is_reset: bool,  # noqa: FBT001 - a case
) -> None:
    data = wav(40.0)
    path = open_upload(ask_tus, len(data))
    before = blobs(on_local_disk)
    connection = on_local_disk.connect()
    connection.sendall(patch_head(path, 0, len(data)) + data[:MEGABYTE])
    wait_for(lambda: new_bytes(on_local_disk, before) >= MEGABYTE // 2, "bytes on the disk")
    if is_reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    offset = wait_for(lambda: offset_of(ask_tus, path), "what arrived is counted")
    assert offset == MEGABYTE if not is_reset else offset >= MEGABYTE // 2
    with on_local_disk.connect() as again:
        again.sendall(patch_head(path, offset, len(data) - offset) + data[offset:])
        assert read_answer(again)[0] == 204
    assert (
        stored_sha256(on_local_disk, the_recording(on_local_disk, path)) == hashlib.sha256(data).hexdigest()
    )


def blobs(server: IntakeServer) -> set[Path]:
    return {path for path in (server.blob_folder / "audio").rglob("*") if path.is_file()}


def new_bytes(server: IntakeServer, before: set[Path]) -> int:
    """Return how many bytes of new blobs there are."""
    return sum(path.stat().st_size for path in blobs(server) - before)


def test_of_two_pieces_at_once_one_is_taken(
    on_local_disk: IntakeServer, ask_tus: Callable[..., requests.Response]
) -> None:
    data = wav(5.0)
    path = open_upload(ask_tus, len(data))
    with on_local_disk.connect() as first:
        first.sendall(patch_head(path, 0, len(data)) + data[:1000])

        def second() -> int:
            with on_local_disk.connect() as connection:
                connection.sendall(patch_head(path, 0, 10) + b"other data")
                return read_answer(connection)[0]

        # The first may still be on its way to its lock; once the second is locked out it stays so.
        wait_for(lambda: ask_tus("GET", path).json()["state"] == "receiving", "opened")
        wait_for(lambda: second() in {423, 409}, "locked out")
        first.sendall(data[1000:])
        status, body = read_answer(first)
    if status == 204:
        recording = the_recording(on_local_disk, path)
        assert stored_sha256(on_local_disk, recording) == hashlib.sha256(data).hexdigest()
    else:
        assert status in {409, 423}, body


def test_many_at_once_on_one_upload_never_mix(
    on_local_disk: IntakeServer, ask_tus: Callable[..., requests.Response]
) -> None:
    data = wav(30.0)
    path = open_upload(ask_tus, len(data))
    statuses: list[int] = []

    def send() -> None:
        with on_local_disk.connect() as connection:
            connection.sendall(patch_head(path, 0, len(data)))
            _send_all(connection, data)
            statuses.append(read_answer(connection)[0])

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 409, 423, 0}
    assert (
        stored_sha256(on_local_disk, the_recording(on_local_disk, path)) == hashlib.sha256(data).hexdigest()
    )


def test_a_cut_piece_with_a_checksum_does_not_count(
    on_local_disk: IntakeServer, ask_tus: Callable[..., requests.Response]
) -> None:
    data = noisy_wav(20 * MEGABYTE)
    path = open_upload(ask_tus, len(data))
    before = blobs(on_local_disk)
    with on_local_disk.connect() as connection:
        checksum = "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk="
        connection.sendall(patch_head(path, 0, len(data), Upload_Checksum=checksum) + data[: 10 * MEGABYTE])
        wait_for(lambda: new_bytes(on_local_disk, before) >= 9 * MEGABYTE, "bytes on the disk")
    sender = uploader(on_local_disk.port, data, url=None, upload_checksum=True, retries=60)
    wait_for(lambda: "Retry-After" not in ask_tus("HEAD", path).headers, "answered")
    assert offset_of(ask_tus, path) == 0
    sender.set_url(f"http://127.0.0.1:{on_local_disk.port}{path}")
    sender.upload()
    assert (
        stored_sha256(on_local_disk, the_recording(on_local_disk, path)) == hashlib.sha256(data).hexdigest()
    )


def test_others_are_served_while_a_large_file_is_finished(on_local_disk: IntakeServer, audio: bytes) -> None:
    """Syncing and hashing happen outside of the event loop."""
    done = threading.Event()

    def upload() -> None:
        uploader(on_local_disk.port, audio, chunk_size=16 * MEGABYTE, retries=3).upload()
        done.set()

    threading.Thread(target=upload, daemon=True).start()
    asked = 0
    while not done.is_set():
        assert on_local_disk.is_well()
        asked += 1
    assert asked > 5
