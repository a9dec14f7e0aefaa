"""A provider in a separate process, so that a test can kill it during a request.

As a program it prints its base URL, then reads commands line by line: a number lets it answer so many more requests;
"asked" prints the hashes of the audio it received, answered ones first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.crash.provider import Provider

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class AudioHashes:
    """Hashes of the pieces of audio, in the order in which they came."""

    answered: list[str]
    open: list[str]


class ProviderProcess:
    """The process, from outside. It answers nothing until a command allows it."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", __name__], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.url = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def answer(self, count: int) -> None:
        """Let it answer so many more requests."""
        self._write(str(count))

    def asked(self) -> AudioHashes:
        self._write("asked")
        return AudioHashes(**json.loads(self._read()))

    def kill(self) -> None:
        """End it with whatever it has in hand."""
        self._child.kill()
        self._child.communicate()

    def _write(self, line: str) -> None:
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def _read(self) -> str:
        line = self._child.stdout.readline()
        assert line, "the provider has ended"
        return line.rstrip()


def _write_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    with Provider() as provider:
        provider.hold_after(0)
        _write_line(provider.url)
        for line in sys.stdin:
            if line.strip() == "asked":
                asked = list(provider.asked)
                report = {
                    "answered": [one.digest for one in asked if one.ended],
                    "open": [one.digest for one in asked if not one.ended],
                }
                _write_line(json.dumps(report))
            else:
                provider.hold_after(int(line))


if __name__ == "__main__":
    main()
