"""Two users who upload a file of the same name at the same instant."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import multipart, wav
from tests.intake.server import ALICE, BOB, IntakeServer, head, read_answer

pytestmark = pytest.mark.stack

PAIRS = 40


def send_in_step(server: IntakeServer, number: int) -> list[tuple[str, dict[str, object], str]]:
    """Send two files of one name over two connections, byte for byte in step."""
    sent = []
    for token, detune in ((ALICE, 0.0), (BOB, 0.5)):
        data = wav(0.2, frequency=100 + number + detune)
        body, content_type = multipart(data, "meeting.wav", {"title": f"{number}"})
        sent.append((token, data, head(length=len(body), content_type=content_type, token=token) + body))
    connections = [server.connect() for _ in sent]
    longest = max(len(request) for _, _, request in sent)
    for at in range(0, longest, 2000):
        for connection, (_, _, request) in zip(connections, sent, strict=True):
            connection.sendall(request[at : at + 2000])
    answers = []
    for connection, (token, data, _) in zip(connections, sent, strict=True):
        with connection:
            status, body = read_answer(connection)
        assert status == 202, body
        answers.append((token, json.loads(body), hashlib.sha256(data).hexdigest()))
    return answers


def test_no_byte_is_mixed(server: IntakeServer) -> None:
    with ThreadPoolExecutor(4) as clients:
        answers = [
            one for pair in clients.map(lambda n: send_in_step(server, n), range(PAIRS)) for one in pair
        ]
    assert len({answer["id"] for _, answer, _ in answers}) == 2 * PAIRS
    for token, answer, sha256 in answers:
        path = f"/api/v1/recordings/{answer['id']}/audio"
        audio = server.request("GET", path, token=token)
        assert hashlib.sha256(audio.content).hexdigest() == sha256
        assert server.request("GET", path, token=BOB if token == ALICE else ALICE).status_code == 404
    for token in (ALICE, BOB):
        mine = {answer["id"] for owner, answer, _ in answers if owner == token}
        theirs = {answer["id"] for owner, answer, _ in answers if owner != token}
        listed = {row["id"] for row in server.get("/api/v1/recordings?per_page=100", token)["recordings"]}
        assert not listed & theirs
        assert mine & listed
