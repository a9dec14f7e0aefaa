"""Speed of parsing uploads: `python -m benchmarks.multipart [--megabytes 30]`.

Three stages, each including the previous one: Werkzeug's decoder alone, `receive_upload` into a sink that discards
(adds limits, SHA-256), and `receive_upload` into a file that is flushed to disk. The bodies are recorded audio and
contents that are hard for multipart parsers.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import random
import struct
import tempfile
import time
from collections.abc import Callable

from flask import Request
from werkzeug.sansio.multipart import Epilogue, MultipartDecoder, NeedData
from werkzeug.test import create_environ

from speakr.services.recordings.size_limits import SizeLimits
from speakr.services.recordings.uploads import IncomingFile
from speakr.storage.memory import MemoryStorage
from speakr.web.body import BLOCK_BYTES
from speakr.web.multipart import receive_upload

BOUNDARY = b"----WebKitFormBoundary7MA4YWxkTrZu0gW"
HEAD = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' % BOUNDARY
TAIL = b"\r\n--%s--\r\n" % BOUNDARY
TARGET_MB_PER_SECOND = 300


class NullSink:
    """Discards what it is given."""

    def write(self, data: bytes) -> int:
        """Count only."""
        return len(data)

    def commit(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""


class FileSink(NullSink):
    """Writes to a temporary file and flushes it to disk."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed in commit

    def write(self, data: bytes) -> int:
        """Append."""
        return self._file.write(data)

    def commit(self) -> None:
        """Flush to disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class OneSink(MemoryStorage):
    """A storage that writes every blob to one sink."""

    def __init__(self, sink: NullSink) -> None:
        super().__init__()
        self._sink = sink

    def create(self, _key: str) -> NullSink:
        """Return the sink."""
        return self._sink


def bodies(size: int) -> dict[str, bytes]:
    rng = random.Random(1)
    second = b"".join(
        struct.pack("<h", int(6000 * math.sin(i / 20) + rng.gauss(0, 300))) for i in range(16_000 * 4)
    )
    patterns = {
        "WAV, 16 bit": second,
        "random bytes": rng.randbytes(1 << 20),
        r"\n runs": b"\n",
        r"\r runs": b"\r",
        r"\r\n runs": b"\r\n",
        r"\r\n-- runs": b"\r\n--",
        "hyphens": b"-",
        "near boundaries": b"\r\n--" + BOUNDARY[:-1] + b"x",
        "zeros": b"\0",
    }
    return {name: (pattern * (size // len(pattern) + 1))[:size] for name, pattern in patterns.items()}


def decode(body: bytes) -> None:
    decoder = MultipartDecoder(BOUNDARY)
    for start in range(0, len(body), BLOCK_BYTES):
        decoder.receive_data(body[start : start + BLOCK_BYTES])
        while not isinstance(decoder.next_event(), (NeedData, Epilogue)):
            pass


def receive_into(sink: Callable[[], NullSink]) -> Callable[[bytes], None]:
    def receive(body: bytes) -> None:
        environ = create_environ(method="POST")
        environ["CONTENT_TYPE"] = f"multipart/form-data; boundary={BOUNDARY.decode()}"
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = io.BytesIO(body)
        opened = sink()
        target = IncomingFile(OneSink(opened), SizeLimits(1 << 20, 1 << 20))
        receive_upload(Request(environ), target).require_file()
        assert target.size_bytes == len(body) - len(HEAD) - len(TAIL)
        opened.commit()

    return receive


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=30)
    size = parser.parse_args().megabytes * 1_000_000
    stages = {"decoder": decode, "received": receive_into(NullSink), "on disk": receive_into(FileSink)}
    print(
        f"{size / 1e6:.0f} MB per body, blocks of {BLOCK_BYTES // 1024} KiB, best of 3; target {TARGET_MB_PER_SECOND} MB/s"
    )
    print(f"{'content':<16}" + "".join(f"{stage:>22}" for stage in stages))
    for name, content in bodies(size).items():
        body = HEAD + content + TAIL
        cells = []
        for run in stages.values():
            seconds = math.inf
            for _ in range(3):
                began = time.perf_counter()
                run(body)
                seconds = min(seconds, time.perf_counter() - began)
            cells.append(f"{seconds:8.3f} s {len(body) / 1e6 / seconds:6.0f} MB/s")
        print(f"{name:<16}" + "".join(f"{cell:>22}" for cell in cells))


if __name__ == "__main__":
    main()
