"""Parts of transcripts, and speakers of several recordings."""

from __future__ import annotations

from dataclasses import replace

from speakr.domain.speaker_matching import LabelledPart, NamedSpeaker, match_labels
from speakr.domain.transcript_history import StoredSegment
from speakr.domain.transcript_parts import after, before, part_of


def segment(start: float, end: float, *words: tuple[str, float, float], speaker: str = "A") -> StoredSegment:
    text = " ".join(word[0] for word in words)
    rows = [[text, first, last, 0.9] for text, first, last in words]
    return StoredSegment(7, start, end, text, speaker, 0.9, overlap=False, words=rows)


def said(segments: list[StoredSegment]) -> list[tuple[float, float, str]]:
    return [(each.start, each.end, each.text) for each in segments]


def test_overlapping_speech_is_in_order_on_both_sides() -> None:
    talk = [
        segment(0, 10, ("one", 0, 1), ("two", 6, 7), ("three", 9, 10)),
        segment(5.1, 6, ("four", 5.1, 6), speaker="B"),
    ]
    assert said(before(talk, 5.0)) == [(0, 5.0, "one")]
    assert said(after(talk, 5.0)) == [(5.1, 6, "four"), (6, 10, "two three")]


def test_text_without_words_is_cut_at_its_estimated_place() -> None:
    talk = [replace(segment(0, 8, ("one two three four", 0, 8)), words=[])]
    assert said(before(talk, 4.0)) == [(0, 3.2, "one two")]
    assert said(after(talk, 4.0)) == [(4.0, 8, "three four")]
    assert [each.words for each in after(talk, 4.0)] == [[]]


def test_an_empty_segment_goes_to_the_side_of_its_middle() -> None:
    talk = [replace(segment(0, 8), text="")]
    assert (len(before(talk, 5.0)), len(after(talk, 5.0))) == (1, 0)
    assert (len(before(talk, 3.0)), len(after(talk, 3.0))) == (0, 1)


def test_times_after_the_end_of_a_recording_end_with_it() -> None:
    talk = [segment(8, 10.4, ("one", 8, 9), ("two", 9.5, 10.4))]
    (found,) = part_of(talk, 0.0, 10.0, 10.0)
    assert (found.end, found.words[1]) == (10.0, ["two", 9.5, 10.0, 0.9])


def test_times_keep_their_milliseconds() -> None:
    talk = [segment(7.1, 7.3, ("one", 7.1, 7.3))]
    (found,) = part_of(talk, 0.7, 9.0, 9.0)
    assert (found.start, found.end, found.words) == (6.4, 6.6, [["one", 6.4, 6.6, 0.9]])


def test_labels_of_two_people_never_become_one() -> None:
    ann, bo = NamedSpeaker("Ann", 1, confirmed=True), NamedSpeaker("Bo", None, confirmed=False)
    found = match_labels(
        [
            LabelledPart(["S0", "S1"], {"S0": ann}),
            LabelledPart(["S0", "S1", "S2"], {"S2": ann, "S1": bo}),
            LabelledPart(["S1"], {"S1": replace(bo, speaker_id=2, confirmed=True)}),
        ]
    )
    assert found.labels == [
        {"S0": "S0", "S1": "S1"},
        {"S0": "SPEAKER_00", "S1": "SPEAKER_01", "S2": "S0"},
        {"S1": "SPEAKER_01"},
    ]
    assert found.names == {"S0": ann, "SPEAKER_01": NamedSpeaker("Bo", 2, confirmed=True)}
