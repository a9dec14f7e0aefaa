"""Every format: golden files, and what they have in common."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from speakr.domain.transcript import Segment
from speakr.exports import EXPORTERS
from speakr.exports.base import Source
from tests.exports.writing import written

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(EXPORTERS))
def test_the_meeting_reads_as_in_its_golden_file(name: str, meeting: Sequence[Segment]) -> None:
    exporter = EXPORTERS[name]
    expected = (GOLDEN / f"meeting.{exporter.extension}").read_bytes().decode()
    assert written(name, meeting) == expected


def test_formats_go_by_their_names() -> None:
    assert {name: (e.name, e.media_type, e.extension) for name, e in EXPORTERS.items()} == {
        "text": ("text", "text/plain", "txt"),
        "srt": ("srt", "application/x-subrip", "srt"),
        "vtt": ("vtt", "text/vtt", "vtt"),
    }


@pytest.mark.parametrize(("name", "empty"), [("text", ""), ("srt", ""), ("vtt", "WEBVTT\n")])
def test_an_empty_transcript_is_an_empty_file_of_its_format(name: str, empty: str) -> None:
    assert written(name, []) == empty


@pytest.mark.parametrize("name", sorted(EXPORTERS))
def test_a_format_is_written_in_pieces(name: str, meeting: Sequence[Segment]) -> None:
    pieces = list(EXPORTERS[name].write(Source(segments=meeting)))
    assert len(pieces) >= len(meeting) - 1, "one segment says nothing"
