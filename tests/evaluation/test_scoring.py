"""The measures themselves, on cases with known results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from evaluation.hotwords import count_found
from evaluation.report import Figure, Table, at_least, at_most, show_side_by_side
from evaluation.seams import Damage, Talk, compare
from evaluation.transcribing import Cost
from evaluation.voice_profiles import Utterance, equal_error_rate, identify
from evaluation.word_errors import WordErrors, align, normalise, word_errors
from evaluation.word_times import Differences
from evaluation.words import HUMAN, MEETINGS, kind_of
from speakr.domain.transcript import Word

# -- words


def test_words_are_scored_as_people_say_them() -> None:
    assert normalise("Mr. O'Neill -- said: «Well-known!» 42") == [
        "mister",
        "o'neill",
        "said",
        "well",
        "known",
        "forty",
        "two",
    ]


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("on the 23rd", "on the twenty third"),
        ("at 10:30", "at ten thirty"),
        ("7%", "seven percent"),
        ("1,200 seats", "one thousand two hundred seats"),
        ("$5", "five dollars"),
        ("the 2nd, in the 1990s", "the second in the nineteen nineties"),
        ("twenty-three", "twenty three"),
        ("colour", "colour"),
    ],
)
def test_digits_are_scored_as_they_are_spoken(written: str, spoken: str) -> None:
    assert word_errors(spoken, written).total == 0
    assert word_errors(written, spoken).total == 0


def test_other_spellings_stay_errors() -> None:
    assert word_errors("the colour", "the color").total == 1
    assert word_errors("the 22nd", "the 23rd").total == 1


def test_other_languages_are_scored_without_marks_and_chinese_by_characters() -> None:
    assert word_errors("El número está aquí", "el numero esta aqui.", "es").total == 0
    assert word_errors("砸自己的脚", "砸自己脚", "zh") == WordErrors(5, 0, 1, 0)


def test_engines_are_shown_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    def table(value: float) -> Table:
        return Table("Words", [Figure("WER", value, " %", at_most(5))])

    show_side_by_side({"first": [table(3)], "second": [table(7), Table("Times", [Figure("median", 4)])]})
    shown = capsys.readouterr().out
    assert "| figure | goal | first | second |" in shown
    assert "| WER | ≤ 5 % | 3.0 % | 7.0 %* |" in shown
    assert "| median |  |  | 4.0 |" in shown


@pytest.mark.parametrize(
    ("said", "hypothesis", "errors"),
    [
        ("a b c", "a b c", (3, 0, 0, 0)),
        ("a b c", "", (3, 0, 3, 0)),
        ("", "a b", (0, 0, 0, 2)),
        ("a b c d", "a x c", (4, 1, 1, 0)),
        ("he was not", "he was was not", (3, 0, 0, 1)),
        ("one two three", "two three four", (3, 0, 1, 1)),
    ],
)
def test_errors_are_counted_by_kind(said: str, hypothesis: str, errors: tuple[int, ...]) -> None:
    assert word_errors(said, hypothesis) == WordErrors(*errors)


def test_rates_of_several_recordings_are_weighted_by_their_words() -> None:
    total = WordErrors()
    total += word_errors("a b c d e f g h i", "a b c d e f g h i")
    total += word_errors("j", "x y")
    assert total.rate == pytest.approx(20)
    assert WordErrors().rate == 0


def test_an_alignment_names_every_word_once() -> None:
    pairs = align(["a", "b", "c", "d"], ["a", "c", "d", "e"]).pairs
    assert pairs == [(0, 0), (1, None), (2, 1), (3, 2), (None, 3)]


def test_kinds_are_distinguished() -> None:
    assert kind_of({"kind": "asr", "human": True}) == HUMAN
    assert kind_of({"kind": "asr", "human": False, "source": "espeak-ng 1.51"}) == "espeak voices"
    assert kind_of({"kind": "diarization+asr"}) == MEETINGS
    assert kind_of({"kind": "container"}) is None


def test_times_are_compared_where_the_word_is_right() -> None:
    found = Differences()
    found.add(
        [Word("Go", 0.5, 0.9), Word("forward", 1.0, 1.5), Word("ten", 1.6, 1.9)],
        [Word("go", 0.52, 0.86), Word("for", 1.2, 1.3), Word("ten", 1.5, 1.9)],
    )
    assert found.starts == pytest.approx([0.02, 0.1])
    assert found.ends == pytest.approx([0.04, 0.0])


# -- seams

SAID = "we will look at the budget".split()  # noqa: SIM905 - reads as a sentence


def hypothesis(text: str) -> list[Word]:
    """Return words at their spoken times, and extra ones a second after the previous one."""
    words: list[Word] = []
    for one in text.split():
        at = SAID.index(one) if one in SAID else words[-1].end
        words.append(Word(one, at, at + 1.0))
    return words


def at_the_seam(
    cut: str, *, uncut: str = "we will look at the budget", reach: float = 1.5
) -> tuple[int, ...]:
    talk = Talk(np.zeros(0, np.int16), [Word(text, at, at + 1.0) for at, text in enumerate(SAID)])
    damage = compare(talk, [3.2], hypothesis(uncut), hypothesis(cut), reach)
    assert damage.seams == 1
    return damage.lost, damage.doubled, damage.torn


@pytest.mark.parametrize(
    ("cut", "damage"),
    [
        ("we will look at the budget", (0, 0, 0)),
        ("we will look the budget", (1, 0, 0)),
        ("we will look at at the budget", (0, 1, 0)),
        ("we will look cat the budget", (0, 0, 1)),
        ("will look at the budget", (0, 0, 0)),
    ],
    ids=["nothing", "lost", "doubled", "torn", "far from the seam"],
)
def test_damage_is_counted_near_seams(cut: str, damage: tuple[int, ...]) -> None:
    assert at_the_seam(cut) == damage


def test_one_word_for_two_is_none_lost() -> None:
    talk = Talk(np.zeros(0, np.int16), [Word(text, at, at + 1.0) for at, text in enumerate(SAID)])
    lookout = [*hypothesis("we will"), Word("lookout", 2.0, 4.0), *hypothesis("the budget")]
    assert compare(talk, [3.2], hypothesis("we will look at the budget"), lookout, 1.5) == Damage(1, 0, 0, 2)


def test_what_is_wrong_without_the_seam_is_not_its_fault() -> None:
    assert at_the_seam("we will look the budget", uncut="we will look the budget") == (0, 0, 0)
    assert at_the_seam("we will look at at the budget", uncut="we will look at at the budget") == (0, 0, 0)
    total = Damage(1, 1, 0, 0)
    total += Damage(4, 1, 2, 3)
    assert total == Damage(5, 2, 2, 3)


# -- voices


def test_the_equal_error_rate_is_where_both_errors_meet() -> None:
    same = np.array([0.9, 0.8, 0.7, 0.4], np.float32)
    other = np.array([0.1, 0.2, 0.5, 0.6], np.float32)
    rate, threshold = equal_error_rate(same, other)
    assert rate == pytest.approx(25)
    assert 0.5 < threshold <= 0.7
    assert equal_error_rate(same[:3], other)[0] == 0


def voices(*similarity: Sequence[float]) -> list[Utterance]:
    return [Utterance(np.array(each, np.float32) / np.linalg.norm(each), 8.0) for each in similarity]


def test_known_speakers_match_and_unknown_ones_do_not() -> None:
    said = {
        "ann": voices((1, 0, 0), (1, 0.1, 0), (1, 0, 0.1)),
        "ben": voices((0, 1, 0), (0, 1, 0.1), (0.1, 1, 0)),
    }
    found = identify(said)
    assert (found.tries, found.known, found.mistaken) == (6, 6, 0)
    assert (found.unknowns, found.unknowns_taken) == (6, 0)


def test_two_similar_voices_match_neither_but_unknown_ones_do() -> None:
    alike = voices((1, 0, 0), (1, 0.01, 0), (1, 0, 0.01))
    found = identify({"ann": alike, "ben": alike})
    assert (found.known, found.mistaken) == (0, 0), "neither is nearer by the margin"
    assert found.unknowns_taken == 6


def test_who_has_said_too_little_has_no_profile() -> None:
    assert identify({"ann": voices((1, 0, 0)), "ben": voices((0, 1, 0))}).tries == 0


# -- names, goals


def test_a_name_counts_as_often_as_it_was_said() -> None:
    assert count_found(["zaphod", "marisol"], "Zaphod, Zaphod and Marysol.") == 1
    assert count_found(["zaphod", "zaphod"], "zaphod zaphod") == 2


def test_goals_are_held_against_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    figures = [
        Figure("low", 25.04, " %", at_most(25)),
        Figure("high", 94.9, " %", at_least(95)),
        Figure("free", 3),
    ]
    table = Table("Words", figures)
    assert table.missed == ["Words: high"]
    table.show()
    shown = capsys.readouterr().out
    assert "| low | ≤ 25 % | 25.0 % | met |" in shown
    assert "| high | ≥ 95 % | 94.9 % | missed |" in shown
    Table("Nothing").show()
    assert "holds nothing" in capsys.readouterr().out


def test_costs_add_up() -> None:
    cost = Cost(speech=1, words=6, voices=1, audio=60)
    cost += Cost(words=2, audio=40)
    assert (cost.real_time_factor, cost.words_factor) == pytest.approx((0.1, 0.08))
    assert Cost().real_time_factor == 0
