"""What was said is laid on turns."""

from __future__ import annotations

from speakr.domain.transcript import Segment, Word
from speakr.domain.turns import SpeakerTurn, give_speakers

TURNS = [SpeakerTurn(0.0, 2.0, "A"), SpeakerTurn(2.0, 4.0, "B"), SpeakerTurn(6.0, 8.0, "A")]


def spoken(text: str, *times: tuple[float, float], words: list[str] | None = None) -> Segment:
    tokens = words or [token.strip(".,?!").lower() for token in text.split()]
    return Segment(
        times[0][0],
        times[-1][1],
        text,
        confidence=0.5,
        words=[Word(token, *time, 0.9) for token, time in zip(tokens, times, strict=True)],
    )


def test_a_segment_of_one_speaker_stays_whole() -> None:
    (given,) = give_speakers([spoken("Good morning.", (0.1, 0.9), (1.0, 1.9))], TURNS)
    assert (given.text, given.speaker, given.confidence) == ("Good morning.", "A", 0.5)


def test_a_segment_is_cut_where_the_speaker_changes() -> None:
    one, other = give_speakers(
        [spoken("How are you? Well, thanks.", (0.5, 1), (1, 1.4), (1.4, 2.1), (2.2, 2.6), (2.7, 3))], TURNS
    )
    assert (one.text, one.speaker, one.start, one.end) == ("How are you?", "A", 0.5, 2.1)
    assert (other.text, other.speaker, other.start, other.end) == ("Well, thanks.", "B", 2.2, 3)
    assert [len(one.words), len(other.words)] == [3, 2]
    assert one.confidence == 0.9


def test_text_without_blanks_is_cut_too() -> None:
    found = give_speakers([spoken("你好再见", (1.0, 1.5), (2.5, 3.0), words=["你好", "再见"])], TURNS)
    assert [(each.text, each.speaker) for each in found] == [("你好", "A"), ("再见", "B")]


def test_words_that_are_not_in_the_text_leave_the_segment_whole() -> None:
    (given,) = give_speakers(
        [spoken("12 o'clock", (1.8, 2.2), (2.2, 3.9), words=["twelve", "o'clock"])], TURNS
    )
    assert (given.text, given.speaker) == ("12 o'clock", "B")


def test_between_turns_the_nearest_one_counts() -> None:
    segments = [
        Segment(4.1, 4.4, "mm"),
        Segment(5.5, 5.9, "ah"),
        Segment(9.0, 9.5, "bye"),
        Segment(0.5, 0.5, "-"),
    ]
    assert [each.speaker for each in give_speakers(segments, TURNS)] == ["B", "A", "A", "A"]


def test_without_turns_labels_stay() -> None:
    assert give_speakers([Segment(0, 1, "x", "SPEAKER_07")], [])[0].speaker == "SPEAKER_07"
