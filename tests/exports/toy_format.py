"""TOY: a binary format. This file and one line are all it takes."""

from __future__ import annotations

from collections.abc import Iterator

from speakr.exports.base import Exporter, Source


def write(source: Source) -> Iterator[bytes]:
    yield b"TOY\0"
    for segment in source.segments:
        yield segment.text.encode("utf-16-le")


TOY = Exporter(
    name="toy",
    media_type="application/x-toy",
    extension="toy",
    description="A toy",
    write=write,
    is_binary=True,
)
