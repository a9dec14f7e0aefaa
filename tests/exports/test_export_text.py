"""The template language of plain-text transcripts."""

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakr.domain.transcript import Segment
from speakr.exports.text import DEFAULT, LineTemplate
from tests.exports.writing import written

ALICE = Segment(4.8, 3725.9994, "100% sure", "Alice")
BOB = Segment(3725.9996, 3726.0, "Really {{text}}?", "Bob")


def test_the_default_names_the_speaker_of_each_segment() -> None:
    assert written("text", [ALICE, BOB]) == "[Alice]: 100% sure\n[Bob]: Really {{text}}?"


def test_no_segments_are_no_text() -> None:
    assert DEFAULT.render([]) == ""


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{index}}. {{text}}", "1. 100% sure"),
        ("{{start_time}} - {{end_time}}", "00:00:04 - 01:02:05"),
        ("{{start_time|srt}} --> {{end_time|srt}}", "00:00:04,800 --> 01:02:05,999"),
        ("{{speaker|upper}} {{text|upper}}", "ALICE 100% SURE"),
        ("{{ speaker }} {{ text | upper }}", "Alice 100% SURE"),
        ("{{speaker}}{{speaker}}", "AliceAlice"),
        ("50% %s %(x)s {{text}} %%", "50% %s %(x)s 100% sure %%"),
        ("no placeholder", "no placeholder"),
        ("", ""),
    ],
)
def test_placeholders_are_filled(template: str, expected: str) -> None:
    assert LineTemplate(template).render([ALICE]) == expected


@pytest.mark.parametrize(
    "unknown",
    [
        "{{nobody}}",
        "{{text|srt}}",
        "{{start_time|lower}}",
        "{{TEXT}}",
        "{{}}",
        "{{text",
        "{text}",
        "{{start_time|srt|upper}}",
    ],
)
def test_what_is_no_placeholder_stays_as_it_is(unknown: str) -> None:
    assert LineTemplate(f"a {unknown} b {{{{speaker}}}}").render([ALICE]) == f"a {unknown} b Alice"


def test_times_round_to_the_millisecond_before_they_are_cut_to_seconds() -> None:
    assert LineTemplate("{{start_time}} {{start_time|srt}}").render([BOB]) == "01:02:06 01:02:06,000"


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), -3.0])
def test_a_time_that_is_none_reads_as_zero(bad: float) -> None:
    segment = Segment(bad, bad, "x", "A")
    assert LineTemplate("{{start_time}} {{end_time|srt}}").render([segment]) == "00:00:00 00:00:00,000"


@given(st.text(alphabet="{}|% \nabstextindex_ime", max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_any_template_renders_and_never_expands_twice(source: str, text: str, speaker: str) -> None:
    rendered = LineTemplate(source).render([Segment(0, 1, text, speaker)])
    if "{{" not in source:
        assert rendered == source
    assert LineTemplate("{{text}}").render([Segment(0, 1, source, speaker)]) == source


def test_a_long_transcript_costs_next_to_nothing() -> None:
    # measured at 0.05 ms; ten times that still distinguishes string formatting from anything slower
    segments = [Segment(i, i + 1, "A sentence of ordinary length.", "Alice") for i in range(120)]
    assert min(timeit.repeat(lambda: DEFAULT.render(segments), number=20, repeat=5)) / 20 < 0.0005
