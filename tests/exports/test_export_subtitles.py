"""SubRip and WebVTT files are read back with strict parsers of our own."""

import html
import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakr.domain.transcript import Segment
from speakr.exports.base import cue_text
from tests.exports.writing import written

Read = tuple[int, int, str, str]  # start and end in milliseconds, speaker, text

SRT_TIMING = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d),(\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d),(\d{3})")
VTT_TIMING = re.compile(SRT_TIMING.pattern.replace(",(", r"\.("))


def _timing(pattern: re.Pattern[str], line: str) -> tuple[int, int]:
    match = pattern.fullmatch(line)
    assert match, line
    h1, m1, s1, f1, h2, m2, s2, f2 = map(int, match.groups())
    return ((h1 * 60 + m1) * 60 + s1) * 1000 + f1, ((h2 * 60 + m2) * 60 + s2) * 1000 + f2


def _blocks(body: str) -> list[list[str]]:
    """Split at blank lines, with every line break that any reader may know."""
    assert body == "" or body.endswith("\n")
    assert all(ord(char) >= 32 or char in "\n\t" for char in body)
    return [block.splitlines() for block in body.removesuffix("\n").split("\n\n")] if body else []


def read_srt(content: str) -> list[Read]:
    cues = []
    for number, (head, timing, *lines) in enumerate(_blocks(content), start=1):
        assert head == str(number)
        assert lines
        assert not any("-->" in line or not line.strip() for line in lines)
        cues.append((*_timing(SRT_TIMING, timing), "", "\n".join(lines)))
    return cues


def read_vtt(content: str) -> list[Read]:
    header, *blocks = _blocks(content)
    assert header == ["WEBVTT"]
    cues = []
    for timing, *lines in blocks:
        payload = "\n".join(lines)
        match = re.fullmatch(r"(?:<v ([^<>\n]+)>)?([^<>]+)", payload)
        assert match, payload
        assert all(re.match(r"&(amp|lt|gt);", payload[i:]) for i, char in enumerate(payload) if char == "&")
        cues.append((*_timing(VTT_TIMING, timing), html.unescape(match[1] or ""), html.unescape(match[2])))
    return cues


def srt(*segments: Segment) -> list[Read]:
    return read_srt(written("srt", segments))


def vtt(*segments: Segment) -> list[Read]:
    return read_vtt(written("vtt", segments))


# -- one rule at a time


def test_milliseconds_are_rounded() -> None:
    content = written("srt", [Segment(4.8, 8.0005, "x", "A")])
    assert content == "1\n00:00:04,800 --> 00:00:08,001\nx\n"


def test_srt_is_bare_and_vtt_names_the_voice() -> None:
    segment = Segment(0, 1, "Tom & <b>Jerry</b>", "A & <B>")
    assert srt(segment) == [(0, 1000, "", "Tom & <b>Jerry</b>")]
    assert (
        written("vtt", [segment]).splitlines()[3] == "<v A &amp; &lt;B&gt;>Tom &amp; &lt;b&gt;Jerry&lt;/b&gt;"
    )


def test_a_nameless_speaker_gets_no_voice_tag() -> None:
    assert written("vtt", [Segment(0, 1, "x", " ")]).endswith("\nx\n")


def test_hours_may_need_three_digits() -> None:
    assert srt(Segment(360_000, 360_001, "x", "A")) == [(360_000_000, 360_001_000, "", "x")]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (5.0, None, (5000, 6000)),
        (5.0, 5.0, (5000, 6000)),
        (5.0, 2.0, (5000, 6000)),
        (5.0, float("nan"), (5000, 6000)),
        (5.0, float("inf"), (5000, 6000)),
        (5.0, 1e306, (5000, 6000)),
        (-2.0, 3.0, (0, 3000)),
        (-2.0, -1.0, (0, 1000)),
        (None, 3.0, (0, 3000)),
        (None, None, (0, 1000)),
    ],
)
def test_bad_times_are_mended(start: float, end: float, expected: tuple[int, int]) -> None:
    segment = Segment(start, end, "x", "A")
    assert srt(segment)[0][:2] == expected
    assert vtt(segment)[0][:2] == expected


def test_a_missing_start_follows_the_segment_before() -> None:
    assert [cue[:2] for cue in srt(Segment(2, 4, "a"), Segment(None, 5, "b"))] == [(2000, 4000), (4000, 5000)]


def test_cues_of_one_speaker_never_overlap_but_those_of_two_may() -> None:
    cues = vtt(Segment(0, 9, "long", "A"), Segment(2, 3, "mm", "B"), Segment(4, 6, "more", "A"))
    assert cues == [(0, 4000, "A", "long"), (2000, 3000, "B", "mm"), (4000, 6000, "A", "more")]


def test_cues_come_in_order_of_time() -> None:
    assert [cue[3] for cue in vtt(Segment(5, 6, "b"), Segment(1, 2, "a"), Segment(5, 7, "c"))] == [
        "a",
        "b",
        "c",
    ]


# -- any transcript whatever

HOSTILE = st.lists(
    st.sampled_from(["-->", "--", ">", "\n", "\r\n", "\r", "\u2028", "\x85", "\0", "\ud800", "1", "WEBVTT", "NOTE", "&", "&amp;",
                     "<v Eve>", "</v>", "00:00:01,000 --> 00:00:02,000", " ", "word", "\x0b", "\ufeff", "é"]),
    max_size=12,
).map("".join)  # fmt: skip
TEXT = st.one_of(st.text(max_size=40), HOSTILE)
TIME = st.one_of(st.floats(0, 1e5), st.floats(), st.none())
READERS = pytest.mark.parametrize(("name", "read"), [("srt", read_srt), ("vtt", read_vtt)])


@READERS
@given(st.lists(st.builds(Segment, TIME, TIME, TEXT, TEXT), max_size=8))
def test_any_transcript_makes_a_sound_file(
    name: str, read: Callable[[str], list[Read]], segments: list[Segment]
) -> None:
    content = written(name, segments)
    cues = read(content)
    content.encode()  # no lone surrogates left
    assert all(0 <= start < end for start, end, _, _ in cues)
    assert all(first[0] <= second[0] for first, second in pairwise(cues))
    arrow = "→" if name == "srt" else "-->"
    said = [cue_text(segment.text).replace("-->", arrow) for segment in segments]
    assert sorted(cue[3] for cue in cues) == sorted(filter(None, said))


@READERS
@given(
    st.lists(
        st.tuples(st.integers(1, 9999), st.integers(0, 9999), st.text("ab<&> é", min_size=1), st.text("Z é"))
    )
)
def test_a_sane_transcript_comes_back_as_it_was(
    name: str, read: Callable[[str], list[Read]], spoken: list[tuple[int, int, str, str]]
) -> None:
    expected, segments, clock = [], [], 0
    for duration_ms, pause_ms, text, speaker in spoken:
        start, end = clock + pause_ms, clock + pause_ms + duration_ms
        clock = end
        segments.append(Segment(start / 1000, end / 1000, text, speaker))
        if text.strip():
            expected.append((start, end, speaker.strip() if name == "vtt" else "", text.strip()))
    assert read(written(name, segments)) == expected
