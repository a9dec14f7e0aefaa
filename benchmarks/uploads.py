"""Cost of uploads: response time, memory, and delay of other requests.

python -m benchmarks.uploads [--only answer memory slow pairs] [--pairs 1000] [--database URL]

`answer`: a 30 MB WAV, from connecting to the last byte of the response. `memory`: growth of the web process while
uploads are in flight (the kernel's high-water mark). `slow`: change of the p95 of a plain GET by 64 clients that upload
slowly, in alternating rounds with and without them. `pairs`: two users send a file of the same name at the same
instant, and each gets its own bytes back; a thousand pairs take minutes, so this runs only when it is named.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import itertools
import json
import multiprocessing
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

from benchmarks.stack import Server, machine, print_table, rss_bytes

MB, MIB = 1_000_000, 1024 * 1024
BOUNDARY = "a-boundary-of-the-benchmark"
NOISE = random.Random(1).randbytes(MIB)

ANSWERS = 7
SLOW_CLIENTS, SLOW_BYTES, SLOW_EVERY_SECONDS = 64, 4096, 0.1
ROUNDS, ROUND_REQUESTS = 9, 250
PAIRS_IN_FLIGHT = 4

GOAL_ANSWER_SECONDS, GOAL_MEMORY_MIB, GOAL_RATIO = 0.7, 32.0, 1.20


# -- one upload


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and the seconds since connecting."""

    status: int
    body: dict[str, object]
    seconds: float


def wav_head(data_bytes: int, rate: int = 44_100) -> bytes:
    """Return the header of a stereo 16 bit WAV file."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + data_bytes, b"WAVE", b"fmt ", 16, 1, 2, rate, rate * 4, 4, 16,
        b"data", data_bytes,
    )  # fmt: skip


def noise(size_bytes: int) -> Iterator[bytes]:
    """Yield a WAV file of this size, a megabyte at a time."""
    yield wav_head(size_bytes - 44)
    for at in range(44, size_bytes, MIB):
        yield NOISE[: min(MIB, size_bytes - at)]


def head(token: str, size_bytes: int, filename: str = "meeting.wav") -> bytes:
    """Return the part of an upload request before the file's bytes."""
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
    return (
        f"POST /api/v1/recordings/upload HTTP/1.1\r\nHost: benchmark\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(part) + size_bytes + len(tail())}\r\nConnection: close\r\n\r\n{part}"
    ).encode()


def tail() -> bytes:
    """Return the part of an upload request after the file's bytes."""
    return f"\r\n--{BOUNDARY}--\r\n".encode()


def read_answer(connection: socket.socket, began: float) -> Answer:
    """Wait for the response."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    body = json.loads(response.read())
    return Answer(response.status, body, time.perf_counter() - began)


def upload(port: int, token: str, size_bytes: int) -> Answer:
    """Upload a WAV file of this size, generated while it is sent."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head(token, size_bytes))
        for block in noise(size_bytes):
            connection.sendall(block)
        connection.sendall(tail())
        answer = read_answer(connection, began)
    assert answer.status == 202, answer
    return answer


def make_user(server: Server, name: str) -> str:
    """Create a user of the server and return a token of theirs."""
    said = ""
    for command in (["create-user", name, "--no-password"], ["create-token", name]):
        said = subprocess.run(
            [sys.executable, "-m", "speakr", *command],
            env=server.environment, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    return said.strip()


# -- the measurements


def measure_answers(server: Server, token: str) -> list[str]:
    """Time the upload of 30 MB."""
    upload(server.port, token, MB)
    taken = [upload(server.port, token, 30 * MB).seconds for _ in range(ANSWERS)]
    cells = [f"{seconds:.2f}" for seconds in (statistics.median(taken), min(taken), max(taken))]
    return ["30 MB WAV, median / best / worst of 7, s", " / ".join(cells), f"{GOAL_ANSWER_SECONDS}"]


def peak_bytes(pid: int) -> int:
    """Return the maximum resident memory of a process since `forget_peak`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def forget_peak(pid: int) -> None:
    """Reset the peak of resident memory (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def measure_memory(server: Server, token: str, at_once: int, size_bytes: int, name: str) -> list[str]:
    """Measure the growth of the web processes with uploads in flight; sandboxed children do not count."""
    upload(server.port, token, MB)
    time.sleep(0.5)
    web = server.pids_below(server.web.pid)
    before = {pid: rss_bytes(pid) for pid in web}
    for pid in web:
        forget_peak(pid)
    with ThreadPoolExecutor(at_once) as clients:
        list(clients.map(lambda _: upload(server.port, token, size_bytes), range(at_once)))
    grown = sum(max(0, peak_bytes(pid) - before[pid]) for pid in web) / MIB
    kept = sum(rss_bytes(pid) - before[pid] for pid in web) / MIB
    return [
        f"{name}: web grows by, MiB per upload (all / kept after)",
        f"{grown / at_once:.1f} ({grown:.1f} / {kept:.1f})",
        f"{GOAL_MEMORY_MIB:.0f}",
    ]


def trickle(port: int, token: str, are_all_here: Event, may_go: Event) -> None:
    """Run 64 clients that each send 4 kB every 100 ms, evenly spread, until stopped."""
    clients = []
    for _ in range(SLOW_CLIENTS):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(head(token, 30 * MB) + wav_head(30 * MB - 44) + NOISE[: MIB // 2])
        clients.append(client)
    are_all_here.set()
    begin = time.monotonic()
    for number, client in enumerate(itertools.cycle(clients)):
        if may_go.is_set():
            break
        time.sleep(max(0.0, begin + number * SLOW_EVERY_SECONDS / SLOW_CLIENTS - time.monotonic()))
        client.sendall(NOISE[:SLOW_BYTES])
    for client in clients:
        client.close()


def times_of_get(port: int, token: str) -> list[float]:
    """Request a list repeatedly over one connection and return the milliseconds each took."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    taken = []
    for _ in range(ROUND_REQUESTS):
        began = time.perf_counter()
        connection.request("GET", "/api/v1/recordings", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, answer.status
    connection.close()
    return taken


def with_slow_clients(server: Server, token: str, work: Callable[[], list[float]]) -> list[float]:
    """Run work while the 64 slow clients are connected."""
    are_all_here, may_go = multiprocessing.Event(), multiprocessing.Event()
    crowd = multiprocessing.Process(target=trickle, args=(server.port, token, are_all_here, may_go))
    crowd.start()
    assert are_all_here.wait(30)
    time.sleep(0.5)
    assert len(list(server.folder.glob("blobs/.partial/*"))) == SLOW_CLIENTS, "all are being read from"
    try:
        return work()
    finally:
        may_go.set()
        crowd.join()
        time.sleep(0.3)


def p95(taken: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(taken, n=20)[18]


def measure_slow_clients(server: Server, token: str) -> list[list[str]]:
    """Compare rounds with and without slow clients, in turn, each time in the other order."""

    def ask() -> list[float]:
        return times_of_get(server.port, token)

    alone: list[list[float]] = []
    crowded: list[list[float]] = []
    ask()
    for number in range(ROUNDS):
        if number % 2:
            crowded.append(with_slow_clients(server, token, ask))
            alone.append(ask())
        else:
            alone.append(ask())
            crowded.append(with_slow_clients(server, token, ask))
    ratios = [p95(there) / p95(not_there) for there, not_there in zip(crowded, alone, strict=True)]
    pooled = p95([t for run in crowded for t in run]) / p95([t for run in alone for t in run])
    median = [statistics.median(p95(run) for run in runs) for runs in (alone, crowded)]
    return [
        [f"GET p95, {ROUNDS} x {ROUND_REQUESTS} requests, alone, ms", f"{median[0]:.1f}", ""],
        [f"GET p95 beside {SLOW_CLIENTS} slow uploads, ms", f"{median[1]:.1f}", ""],
        ["p95 ratio, median of rounds", f"{statistics.median(ratios):.2f}", f"{GOAL_RATIO:.2f}"],
        ["p95 ratio, all requests together", f"{pooled:.2f}", ""],
    ]


# -- two users, one file name


def send_pair(port: int, tokens: tuple[str, str], number: int) -> list[tuple[Answer, str]]:
    """Send two recordings in step, last bytes together; return the responses and the SHA-256 of each."""
    files = [wav_head(8000, 8000) + random.Random(f"{number} {token}").randbytes(8000) for token in tokens]
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in tokens]
    began = time.perf_counter()
    for connection, token, data in zip(connections, tokens, files, strict=True):
        connection.sendall(head(token, len(data)) + data[:4000])
    for connection, data in zip(connections, files, strict=True):
        connection.sendall(data[4000:] + tail())
    answers = []
    for connection, data in zip(connections, files, strict=True):
        answers.append((read_answer(connection, began), hashlib.sha256(data).hexdigest()))
        connection.close()
    return answers


def fetch(port: int, token: str, recording: object) -> tuple[int, str]:
    """Return the status of a recording's audio and the SHA-256 of the received bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    path = f"/api/v1/recordings/{recording}/audio"
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    found = answer.status, hashlib.sha256(answer.read()).hexdigest()
    connection.close()
    return found


def measure_pairs(server: Server, pairs: int) -> list[list[str]]:
    """Send the pairs, fetch all audio, and count the deviations."""
    tokens = (make_user(server, "ann"), make_user(server, "bob"))
    count = {"other answers than 202": 0, "mixed or lost bytes": 0, "seen by the other": 0}
    lock = threading.Lock()

    def one(number: int) -> None:
        answers = send_pair(server.port, tokens, number)
        for mine, (answer, sha256) in enumerate(answers):
            recording = answer.body.get("id")
            if answer.status != 202:
                wrong = ["other answers than 202"]
            else:
                is_mine = fetch(server.port, tokens[mine], recording) == (200, sha256)
                is_hidden = fetch(server.port, tokens[1 - mine], recording)[0] == 404
                wrong = ["mixed or lost bytes"] * (not is_mine) + ["seen by the other"] * (not is_hidden)
            with lock:
                for kind in wrong:
                    count[kind] += 1

    began = time.perf_counter()
    with ThreadPoolExecutor(PAIRS_IN_FLIGHT) as clients:
        list(clients.map(one, range(pairs)))
    rate = 2 * pairs / (time.perf_counter() - began)
    rows = [[f"{pairs} pairs: {kind}", str(times), "0"] for kind, times in count.items()]
    return [*rows, ["uploads per second, each fetched twice", f"{rate:.0f}", ""]]


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--only", nargs="+", choices=["answer", "memory", "slow", "pairs"])
    options.add_argument("--pairs", type=int, default=1000)
    options.add_argument(
        "--recordings", type=int, default=500, help="number of recordings in the list for `slow`"
    )
    options.add_argument("--database", default="", help="a PostgreSQL URL; SQLite by default")
    asked = options.parse_args()
    wanted = asked.only or ["answer", "memory", "slow"]
    with (
        tempfile.TemporaryDirectory(prefix="spk-b-") as folder,
        Server(Path(folder), asked.database) as server,
    ):
        token = subprocess.run(
            [sys.executable, "-m", "benchmarks.api", "--fill", "--recordings", str(asked.recordings)],
            env=server.environment, check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        rows = []
        if "answer" in wanted:
            rows.append(measure_answers(server, token))
        if "memory" in wanted:
            rows.append(measure_memory(server, token, 8, 30 * MB, "8 x 30 MB at once"))
            rows.append(measure_memory(server, token, 1, 1000 * MB, "1 GB"))
        if "slow" in wanted:
            rows += measure_slow_clients(server, token)
        if "pairs" in wanted:
            rows += measure_pairs(server, asked.pairs)
        print_table(f"{machine()}; {server.database_name}", ["what", "measured", "goal: at most"], rows)


if __name__ == "__main__":
    main()
