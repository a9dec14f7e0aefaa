"""Requests that cost a server more than their sender, each bounded in time and number."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import random
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_SECONDS = 120.0
_TEXT = 999_999


@dataclass(frozen=True)
class Attacker:
    """A user of the server, or a stranger without a token."""

    port: int
    token: str = ""
    recording_ids: tuple[int, ...] = ()
    """Recordings of the attacker, COMPLETED."""
    running_id: int = 0
    """A recording that is not transcribed yet, whose stream stays open."""
    random: random.Random = field(default_factory=lambda: random.Random(10))

    def send(self, method: str, path: str, body: bytes | Mapping[str, Any] | None = None) -> int:
        """Send a request and read the answer; return its status, or 0 if there is none."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(
                method,
                path,
                data,
                {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
        return answer.status

    def crowd(self, count: int, work: Callable[[int], int]) -> list[int]:
        """Do something `count` times at once."""
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            return list(pool.map(work, range(count)))

    def open_socket(self, request: bytes) -> socket.socket | None:
        """Connect, send, and do not read."""
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.settimeout(5)
        try:
            made.connect(("127.0.0.1", self.port))
            made.sendall(request)
        except OSError:
            made.close()
            return None
        return made


def hold(attacker: Attacker, count: int, request: bytes, seconds: float) -> None:
    """Open connections that send a request and never read, and keep them for a while."""
    made = [attacker.open_socket(request) for _ in range(count)]
    time.sleep(seconds)
    for each in made:
        if each is not None:
            with contextlib.suppress(OSError):
                each.close()


def _get(path: str, token: str = "", times: int = 1) -> bytes:
    credential = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{credential}\r\n".encode() * times


def slow_readers(attacker: Attacker) -> None:
    """H1: 1,100 connections ask for a long page twelve times each and never read; without a token."""
    hold(attacker, 1_100, _get("/api/v1/openapi.json", times=12), 30)


def bare_connections(attacker: Attacker) -> None:
    """H1: 1,100 connections send half a head; without a token."""
    hold(attacker, 1_100, b"GET /healthz HTTP/1.1\r\nHost: x\r\n", 30)


def slow_readers_of_audio(attacker: Attacker) -> None:
    """Own: 300 connections ask for an audio file and never read it."""
    path = f"/api/v1/recordings/{attacker.recording_ids[0]}/audio"
    hold(attacker, 300, _get(path, attacker.token, times=4), 20)


def batch_of_words(attacker: Attacker) -> None:
    """H2: PATCH batch with two million words instead of ids."""
    attacker.send(
        "PATCH",
        "/api/v1/recordings/batch",
        b'{"recording_ids":[' + b'"x",' * 1_950_000 + b'"x"],"updates":{}}',
    )


def batch_of_zeros(attacker: Attacker) -> None:
    """H2: PATCH batch with 3.9 million zeros."""
    attacker.send(
        "PATCH", "/api/v1/recordings/batch", b'{"recording_ids":[' + b"0," * 3_900_000 + b'0],"updates":{}}'
    )


def scopes(attacker: Attacker) -> None:
    """H2: POST tokens with 1.9 million scopes."""
    attacker.send("POST", "/api/v1/tokens", b'{"scopes":[' + b'"x",' * 1_900_000 + b'"x"]}')


def history(attacker: Attacker) -> None:
    """H2: POST chat with a history of two million empty turns."""
    path = f"/api/v1/recordings/{attacker.recording_ids[0]}/chat"
    attacker.send("POST", path, b'{"message":"x","conversation_history":[' + b"{}," * 1_950_000 + b"{}]}")


def segments(attacker: Attacker) -> None:
    """Own: PUT transcript with as many segments as a body holds."""
    path = f"/api/v1/recordings/{attacker.recording_ids[0]}/transcript"
    attacker.send("PUT", path, b'{"segments":[' + b'{"text":"a b c d"},' * 49_999 + b'{"text":"x"}]}')


def long_transcripts(attacker: Attacker) -> None:
    """Own: read a transcript of 50,000 segments in each format, change it as a whole, undo, compare."""
    path = f"/api/v1/recordings/{attacker.recording_ids[1]}/transcript"
    line = '{"text":"a b c d e f","start":%d,"end":%d,"speaker":"S%d"}'
    written = ",".join(line % (0, 1, number % 50) for number in range(50_000))
    attacker.send("PUT", path, f'{{"segments":[{written}]}}'.encode())
    for query in ("", "?words=true", "?format=text", "?format=srt", "?format=vtt", "?version=raw"):
        attacker.send("GET", path + query)
    attacker.send("GET", path.removesuffix("/transcript"))
    attacker.send("GET", path.removesuffix("transcript") + "speakers")
    attacker.send("PUT", path, {"text": "a c b " * 100_000})
    attacker.send("POST", path + "/undo")
    attacker.send("GET", path + "/history/2/diff")


def one_word(attacker: Attacker) -> None:
    """Own: PUT transcript with one word of a million letters."""
    path = f"/api/v1/recordings/{attacker.recording_ids[0]}/transcript"
    attacker.send("PUT", path, {"text": "x" * _TEXT})


def _patch_texts(attacker: Attacker, text: str) -> None:
    attacker.send(
        "PATCH", f"/api/v1/recordings/{attacker.recording_ids[0]}", {"notes": text, "summary": text}
    )


def characters(attacker: Attacker) -> None:
    """H3: PATCH notes and summary of a million random CJK characters each."""
    _patch_texts(attacker, "".join(map(chr, attacker.random.choices(range(0x4E00, 0x9FFF), k=600_000))))


def ligatures(attacker: Attacker) -> None:
    """H3: PATCH notes and summary of U+FDFA, each of which folds to 18 characters."""
    _patch_texts(attacker, "\ufdfa" * 600_000)


def marks(attacker: Attacker) -> None:
    """H3: PATCH notes and summary of combining marks that have to be sorted."""
    _patch_texts(attacker, "a" + "\u0301\u0316" * 300_000)


def links(attacker: Attacker) -> None:
    """Own: export a summary of half a million links without an end."""
    path = f"/api/v1/recordings/{attacker.recording_ids[0]}"
    attacker.send("PATCH", path, {"summary": "](" * 499_999})
    attacker.crowd(8, lambda _: attacker.send("GET", f"{path}/export"))


def _fill(attacker: Attacker, line: Callable[[int], str], count: int) -> None:
    notes = "\n".join(line(number) for number in range(500_000))[:_TEXT]
    for recording_id in attacker.recording_ids[:count]:
        attacker.send("PATCH", f"/api/v1/recordings/{recording_id}", {"notes": notes})


def search_of_lines(attacker: Attacker) -> None:
    """H4: search for 20 words in 20 notes of half a million one-word lines."""
    _fill(attacker, lambda number: "abcdefghijklmnopqrst"[number % 20], 20)
    attacker.send(
        "GET", "/api/v1/search?q=" + "%20".join("abcdefghijklmnopqrst") + "&field=notes&per_page=100"
    )


def streams(attacker: Attacker) -> None:
    """H5: 1,000 event streams of one user."""
    path = f"/api/v1/recordings/{attacker.running_id}/live"
    hold(attacker, 1_000, _get(path, attacker.token), 20)


def exports(attacker: Attacker) -> None:
    """H6: 15 readers of an export with 50 times a million emoji, who do not read."""
    attacker.send(
        "PATCH", f"/api/v1/recordings/{attacker.recording_ids[0]}", {"notes": "\U0001f600" * 500_000}
    )
    attacker.send(
        "POST",
        "/api/v1/templates",
        {"kind": "export", "name": "n", "body": "{{notes}}" * 50, "is_default": True},
    )
    hold(attacker, 15, _get(f"/api/v1/recordings/{attacker.recording_ids[0]}/export", attacker.token), 20)


def tokens(attacker: Attacker) -> None:
    """M1: make as many tokens as possible."""
    attacker.crowd(
        20, lambda _: [attacker.send("POST", "/api/v1/tokens", {"name": "t"}) for _ in range(20)][-1]
    )


def guesses(attacker: Attacker) -> None:
    """M7: 60 guesses of a password at once."""
    stranger = Attacker(attacker.port)
    body = {"username": "victim", "password": "guess"}
    attacker.crowd(60, lambda _: stranger.send("POST", "/api/tokens", body))


def tags(attacker: Attacker) -> None:
    """L4: make 2,000 tags and list them."""
    attacker.crowd(
        10,
        lambda row: [attacker.send("POST", "/api/v1/tags", {"name": f"{row}-{n}"}) for n in range(200)][-1],
    )
    for _ in range(5):
        attacker.send("GET", "/api/v1/tags")


def readiness(attacker: Attacker) -> None:
    """L5: ask for readiness as fast as possible; without a token."""
    stranger = Attacker(attacker.port)
    ends = time.monotonic() + 10

    def ask(_: int) -> int:
        while time.monotonic() < ends:
            stranger.send("GET", "/readyz")
        return 0

    attacker.crowd(20, ask)


def trickle(attacker: Attacker) -> None:
    """L6: 300 uploads that send a byte every ten seconds."""
    head = (
        f"POST /api/v1/recordings/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {attacker.token}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n--b\r\n"
    ).encode()
    hold(attacker, 300, head, 20)


def replacing(attacker: Attacker) -> None:
    """Own: find and replace of one letter in many transcripts."""
    attacker.send(
        "POST",
        "/api/v1/recordings/batch/replace",
        {
            "recording_ids": list(attacker.recording_ids[:50]),
            "find": "e",
            "replace": "x" * 200,
            "preview": True,
        },
    )


def deep_pages(attacker: Attacker) -> None:
    """Own: the last pages of long lists, at once."""
    attacker.crowd(
        20,
        lambda _: [
            attacker.send("GET", "/api/v1/recordings?per_page=100&page=100000&q=a") for _ in range(20)
        ][-1],
    )


def many_filters(attacker: Attacker) -> None:
    """Own: search for the longest query that a request line holds."""
    words = "%20".join(f"w{number}" for number in range(900))[:8_000]
    attacker.crowd(10, lambda _: [attacker.send("GET", f"/api/v1/search?q={words}") for _ in range(10)][-1])


def documents(attacker: Attacker) -> None:
    """Own: the API's description, as fast as possible; without a token."""
    stranger = Attacker(attacker.port)
    attacker.crowd(20, lambda _: [stranger.send("GET", "/api/v1/openapi.json") for _ in range(20)][-1])


def metrics(attacker: Attacker) -> None:
    """Own: the metrics from loopback, as fast as possible."""
    stranger = Attacker(attacker.port)
    attacker.crowd(20, lambda _: [stranger.send("GET", "/metrics") for _ in range(20)][-1])


def malformed(attacker: Attacker) -> None:
    """L3: chunks, lengths and heads that are no proper HTTP, as fast as possible."""
    head = (
        f"POST /api/v1/tags HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {attacker.token}\r\n"
        "Content-Type: application/json\r\n"
    ).encode()
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    requests = (
        chunked + b"0x2\r\n{}\r\n0\r\n\r\n",
        chunked + b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
        chunked + b"fffffffffffffff\r\n{}",
        head + b"Content-Length: -1\r\n\r\n{}",
        head + b"X-Huge: " + b"x" * 65_536 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00 nonsense\r\n\r\n",
    )
    ends = time.monotonic() + 10

    def ask(number: int) -> int:
        while time.monotonic() < ends:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", attacker.port), 10) as made,
            ):
                made.sendall(requests[number % len(requests)])
                made.shutdown(socket.SHUT_WR)
                while made.recv(65_536):
                    pass
        return 0

    attacker.crowd(20, ask)


def nested(attacker: Attacker) -> None:
    """Own: bodies of arrays 30,000 deep, on ten routes at once."""
    body = b'{"name":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    paths = (
        "tags",
        "folders",
        "speakers",
        "webhooks",
        "templates",
        "tokens",
        "groups",
        "chat",
        "uploads",
        "tags",
    )
    attacker.crowd(
        10, lambda row: [attacker.send("POST", f"/api/v1/{paths[row]}", body) for _ in range(10)][-1]
    )


def uploads_begun(attacker: Attacker) -> None:
    """Own: begin as many resumable uploads as possible, and list them."""
    body = {"filename": "a.wav", "size": 1_000_000}
    attacker.crowd(10, lambda _: [attacker.send("POST", "/api/v1/uploads", body) for _ in range(60)][-1])
    attacker.crowd(10, lambda _: attacker.send("GET", "/api/v1/uploads"))


ATTACKS: tuple[Callable[[Attacker], None], ...] = (
    slow_readers,
    bare_connections,
    slow_readers_of_audio,
    batch_of_words,
    batch_of_zeros,
    scopes,
    history,
    segments,
    long_transcripts,
    one_word,
    characters,
    ligatures,
    marks,
    links,
    search_of_lines,
    streams,
    exports,
    tokens,
    guesses,
    tags,
    malformed,
    readiness,
    trickle,
    replacing,
    deep_pages,
    many_filters,
    documents,
    metrics,
    nested,
    uploads_begun,
)
