"""Every format: golden files, and what they have in common."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from speakr.domain.transcript import Segment
from speakr.exports import EXPORTERS
from speakr.exports.segments import rows

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(EXPORTERS))
def test_the_meeting_reads_as_in_its_golden_file(name: str, meeting: Sequence[Segment]) -> None:
    exporter = EXPORTERS[name]
    expected = (GOLDEN / f"meeting.{exporter.extension}").read_bytes().decode()
    assert exporter.render(meeting) == expected


def test_formats_go_by_their_names() -> None:
    assert {name: (e.name, e.media_type, e.extension) for name, e in EXPORTERS.items()} == {
        "json": ("json", "application/json", "json"),
        "text": ("text", "text/plain", "txt"),
        "srt": ("srt", "application/x-subrip", "srt"),
        "vtt": ("vtt", "text/vtt", "vtt"),
    }


@pytest.mark.parametrize(("name", "empty"), [("json", "[]"), ("text", ""), ("srt", ""), ("vtt", "WEBVTT\n")])
def test_an_empty_transcript_is_an_empty_file_of_its_format(name: str, empty: str) -> None:
    assert EXPORTERS[name].render([]) == empty


def test_segments_are_told_as_data() -> None:
    segment = Segment(4.800000190734863, 7.25, "Hé.", "Zoë")
    assert rows([segment]) == [{"speaker": "Zoë", "sentence": "Hé.", "start_time": 4.8, "end_time": 7.25}]
    assert json.loads(EXPORTERS["json"].render([segment])) == rows([segment])


@pytest.mark.parametrize("bad", [None, float("nan"), float("-inf")])
def test_an_unknown_time_is_null(bad: float) -> None:
    assert json.loads(EXPORTERS["json"].render([Segment(bad, 1, "x", "A")]))[0]["start_time"] is None
