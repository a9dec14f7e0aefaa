"""OpenAI's audio API: what Speakr adds to the engine's time, when the first words arrive, and memory for a large body.

python -m benchmarks.openai_api [--runs 5] [--megabytes 200]

Overhead: 5 s of speech with an engine that answers at once, so all of the time is Speakr's own. First words: 60 s of speech with the
embedded engine, as a stream; the figure is the share of the whole time. Memory: a chunked body without a length, as Node sends a
stream; the figure is the growth of the web process's resident memory. Busy machines make the first two worse.
"""

from __future__ import annotations

import argparse
import http.client
import io
import statistics
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path

from benchmarks.instant_engine import speech, start_engine
from benchmarks.stack import Server, machine, print_table
from benchmarks.uploads import make_user

BOUNDARY = "benchmark"
PATH = "/v1/audio/transcriptions"
GOAL_OVERHEAD_SECONDS, GOAL_SHARE, GOAL_MEGABYTES = 0.15, 0.30, 60.0
MEBIBYTE = 1 << 20


def body_of(audio: bytes, **fields: str) -> Iterator[bytes]:
    """Yield a form in pieces, the file first."""
    yield (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=file; filename=a.wav\r\n"
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    for at in range(0, len(audio), MEBIBYTE):
        yield audio[at : at + MEBIBYTE]
    for name, value in {"model": "whisper-1", **fields}.items():
        yield f"\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}".encode()
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def send(server: Server, token: str, audio: bytes, **fields: str) -> http.client.HTTPResponse:
    """Send a chunked body without a length; return the answer, whose body is unread."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    connection.request(
        "POST",
        PATH,
        body=body_of(audio, **fields),
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        },
        encode_chunked=True,
    )
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    return answer


def overhead(runs: int) -> float:
    """Return the median time of a request whose engine answers at once, in seconds."""
    engine = start_engine(has_speakers=False)
    with (
        tempfile.TemporaryDirectory(prefix="spk-b-") as folder,
        Server(
            Path(folder),
            workers=1,
            TRANSCRIPTION_BASE_URL=f"http://127.0.0.1:{engine.server_port}/v1",
        ) as server,
    ):
        token, audio, spent = make_user(server, "bench"), speech(5.0), []
        for _ in range(runs + 2):  # the first two warm up
            began = time.perf_counter()
            send(server, token, audio).read()
            spent.append(time.perf_counter() - began)
    engine.shutdown()
    return statistics.median(spent[2:])


def first_words(server: Server, token: str, runs: int) -> tuple[float, float]:
    """Return the medians of the time to the first delta and of the whole time, for 60 s of speech."""
    audio = speech(60.0)
    firsts, wholes = [], []
    for _ in range(runs + 1):  # the first one warms up
        began, first = time.perf_counter(), 0.0
        answer = send(server, token, audio, stream="true")
        while line := answer.readline():
            if b"text.delta" in line and not first:
                first = time.perf_counter() - began
        firsts.append(first)
        wholes.append(time.perf_counter() - began)
    return statistics.median(firsts[1:]), statistics.median(wholes[1:])


def silence(megabytes: int) -> bytes:
    """Return a WAV file of so many megabytes in which nothing is said."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(bytes(megabytes * MEBIBYTE))
    return buffer.getvalue()


def memory(server: Server, token: str, megabytes: int) -> float:
    """Return by how much the web processes grow while they receive a body, in MiB."""
    audio, is_over = silence(megabytes), threading.Event()
    before = peak = server.web_rss_bytes()

    def watch() -> None:
        nonlocal peak
        while not is_over.wait(0.02):
            peak = max(peak, server.web_rss_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        send(server, token, audio).read()
    finally:
        is_over.set()
        watcher.join()
    return (peak - before) / MEBIBYTE


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--megabytes", type=int, default=200)
    asked = options.parse_args()
    own = overhead(asked.runs)
    with (
        tempfile.TemporaryDirectory(prefix="spk-b-") as folder,
        Server(Path(folder), workers=1, SPEAKR_MAX_FILE_SIZE_MB=str(asked.megabytes + 10)) as server,
    ):
        token = make_user(server, "bench")
        first, whole = first_words(server, token, min(asked.runs, 3))
        grown = memory(server, token, asked.megabytes)
    rows = [
        [
            "Speakr's own time, 5 s of speech",
            f"{own * 1000:.0f} ms",
            f"{GOAL_OVERHEAD_SECONDS * 1000:.0f} ms",
        ],
        [
            f"first words of 60 s, of {whole:.1f} s in all",
            f"{first:.2f} s, {first / whole:.0%}",
            f"{GOAL_SHARE:.0%}",
        ],
        [f"memory for {asked.megabytes} MB, chunked", f"{grown:.0f} MB", f"{GOAL_MEGABYTES:.0f} MB"],
    ]
    print_table(f"{machine()}; medians of {asked.runs} runs, 1 worker", ["what", "measured", "goal"], rows)


if __name__ == "__main__":
    main()
