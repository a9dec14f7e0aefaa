"""Corrected words keep the times of the words that were recognised."""

from __future__ import annotations

import itertools
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakr.domain.corrected_text import share_out, without_prefixes
from speakr.domain.sequence_diff import matches
from speakr.domain.transcript import Word
from speakr.domain.word_alignment import align, count_tokens, one_line, tokens_of

VOCABULARY = [
    "the",
    "cat",
    "Cat,",
    "sat",
    "on",
    "a",
    "mat.",
    "今天",
    "天气",
    "好",
    "שלום",
    "👍🏽",
    "e\u0301te",
    "—",
]
WORDS = st.lists(st.sampled_from(VOCABULARY), max_size=30)
TEXT = st.text(st.sampled_from("ab .,\n今天\u0301\u05e9👍ก\u0e33"), max_size=60)


def spoken(words: list[str], *, gap: float = 0.05) -> list[Word]:
    return [Word(word, at * 0.4, round(at * 0.4 + 0.4 - gap, 3), 0.9) for at, word in enumerate(words)]


def as_lists(words: tuple[Word, ...]) -> list[tuple[str, float, float, bool]]:
    return [(word.text, word.start, word.end, word.edited) for word in words]


def test_equal_words_keep_their_times_whatever_their_case_and_punctuation() -> None:
    old = spoken(["hello", "world", "again"])
    new = align(old, "Hello, WORLD! again", 0.0, 2.0)
    assert as_lists(new) == [
        ("Hello,", 0.0, 0.35, False),
        ("WORLD!", 0.4, 0.75, False),
        ("again", 0.8, 1.15, False),
    ]
    assert {word.probability for word in new} == {0.9}


def test_a_replaced_run_shares_its_time_in_proportion_to_characters() -> None:
    old = spoken(["we", "met", "miss", "austin", "there"])
    new = align(old, "we met Mademoiselle A there", 0.0, 2.0)
    assert as_lists(new)[2:4] == [("Mademoiselle", 0.8, 1.492, True), ("A", 1.492, 1.55, True)]
    assert new[2].probability is None


def test_inserted_words_share_the_gap_between_their_neighbours() -> None:
    old = [Word("one", 1.0, 1.2, 0.9), Word("three", 2.0, 2.5, 0.9)]
    assert as_lists(align(old, "zero one two two three four", 0.5, 3.0)) == [
        ("zero", 0.5, 1.0, True),
        ("one", 1.0, 1.2, False),
        ("two", 1.2, 1.6, True),
        ("two", 1.6, 2.0, True),
        ("three", 2.0, 2.5, False),
        ("four", 2.5, 3.0, True),
    ]


def test_deleted_words_vanish() -> None:
    assert as_lists(align(spoken(["a", "b", "c"]), "a c", 0.0, 1.2)) == [
        ("a", 0.0, 0.35, False),
        ("c", 0.8, 1.15, False),
    ]
    assert align(spoken(["a"]), "", 0.0, 1.0) == ()


def test_characters_of_text_without_spaces_are_aligned_one_by_one() -> None:
    old = [Word("今天", 0.0, 1.0, 0.9), Word("天气", 1.0, 2.0, 0.8), Word("好", 2.0, 2.5, 0.7)]
    assert as_lists(align(old, "今天空气好。", 0.0, 2.5)) == [
        ("今天", 0.0, 1.0, False),
        ("空", 1.0, 1.5, True),
        ("气", 1.5, 2.0, True),
        ("好。", 2.0, 2.5, False),
    ]


def test_tokens_of_mixed_scripts() -> None:
    def texts(text: str) -> list[str]:
        return [token.text for token in tokens_of(text)]

    assert texts("我用Python写。 ok") == ["我", "用", "Python", "写。", "ok"]
    assert texts("שָׁלוֹם, עולם") == ["שָׁלוֹם,", "עולם"]
    assert texts("안녕하세요 여러분") == ["안녕하세요", "여러분"]
    assert texts("👩‍👩‍👧 e\u0301te\u0301") == ["👩‍👩‍👧", "e\u0301te\u0301"]
    assert "".join(texts("สวัสดีครับ")) == "สวัสดีครับ"


@given(WORDS, TEXT, st.floats(0, 0.4))
def test_times_ascend_and_stay_in_the_segment(words: list[str], text: str, gap: float) -> None:
    old = spoken(words, gap=gap)
    end = len(words) * 0.4 + 1
    new = align(old, text, 0.0, end)
    assert all(0.0 <= word.start <= word.end <= end for word in new)
    assert all(left.end <= right.start + 1e-9 for left, right in itertools.pairwise(new))
    assert "".join(word.text for word in new).replace(" ", "") == "".join(text.split())


@given(WORDS)
def test_the_same_text_changes_no_word(words: list[str]) -> None:
    old = spoken(words)
    assert align(old, " ".join(words), 0.0, 20.0) == tuple(old)


@given(st.lists(st.integers(0, 5), max_size=30), st.lists(st.integers(0, 5), max_size=30))
def test_as_many_pairs_as_possible(old: list[int], new: list[int]) -> None:
    found = matches(old, new)
    assert all(old[i] == new[j] for i, j in found)
    assert found == sorted(set(found))
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(found))
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i, j in itertools.product(range(len(old)), range(len(new))):
        lengths[i + 1][j + 1] = (
            lengths[i][j] + 1 if old[i] == new[j] else max(lengths[i][j + 1], lengths[i + 1][j])
        )
    assert len(found) == lengths[-1][-1]


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 40), max_size=60), st.lists(st.integers(0, 40), max_size=60), st.integers(1, 50)
)
def test_long_sequences_are_cut_and_still_match(old: list[int], new: list[int], most: int) -> None:
    from speakr.domain import sequence_diff

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequence_diff, "MAX_CELLS", most)
        found = matches(old, new)
    assert all(old[i] == new[j] for i, j in found)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(found))


@settings(max_examples=60)
@given(st.integers(0, 10_000))
def test_words_that_were_not_touched_keep_their_times_to_the_millisecond(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - examples
    words = [f"w{number}" for number in range(60)]  # all different, so that it is known which word stays
    new = list(words)
    for at in sorted(dice.sample(range(60), 12), reverse=True):
        match dice.randrange(3):
            case 0:
                new[at] = "other"
            case 1:
                new.insert(at, "more")
            case _:
                del new[at]
    times = {word.text: (word.start, word.end) for word in spoken(words)}
    for word in align(spoken(words), " ".join(new), 0.0, 24.0):
        assert word.edited is (word.text in {"other", "more"})
        assert word.edited or (word.start, word.end) == times[word.text]


def test_a_megabyte_of_one_word_takes_seconds() -> None:
    began = time.process_time()
    words = align(spoken(["no"] * 20_000), "no " * 100_000, 0.0, 8_000.0)
    assert len(words) == 100_000
    assert time.process_time() - began < 10


def test_text_is_shared_out_among_segments() -> None:
    old = ["Good morning all.", "We begin.", "Yes."]
    assert share_out(old, "Good evening all.\nWe begin now.\nYes.") == [
        "Good evening all.",
        "We begin now.",
        "Yes.",
    ]
    assert share_out(old, "Good morning all. Yes.") == ["Good morning all.", "", "Yes."]
    assert share_out(old, "Good morning all.\nWell, we begin. Yes.") == [
        "Good morning all.",
        "Well, we begin.",
        "Yes.",
    ]
    assert share_out(old, "Other words.\nWholly new.\nHere too.") == [
        "Other words.",
        "Wholly new.",
        "Here too.",
    ]
    assert share_out(["", ""], "New text") == ["New text", ""]
    assert share_out([], "New text") == []


@given(st.lists(WORDS.map(" ".join), min_size=1, max_size=6))
def test_the_same_text_comes_back_into_its_segments(old: list[str]) -> None:
    parts = share_out(old, "\n".join(old))
    assert " ".join(filter(None, parts)) == one_line(" ".join(old))


@given(st.lists(WORDS.map(" ".join), min_size=1, max_size=6), TEXT)
def test_no_word_of_a_text_is_lost(old: list[str], text: str) -> None:
    assert "".join("".join(share_out(old, text)).split()) == "".join(text.split())


def test_prefixes_of_our_own_export_are_read_back() -> None:
    text = "[Jane]: Hello.\n\nSPEAKER_01: Note: this.\nJanet: is text"
    assert without_prefixes(text, {"Jane", "SPEAKER_01"}) == " Hello.\n\n Note: this.\nJanet: is text"
    assert without_prefixes("Jane: x", set()) == "Jane: x"


def test_tokens_are_counted_without_being_made() -> None:
    for text in ("", "one two  three", "\u597d\u597d\u597d", "one \u597d\u597d two", "x" * 1_000):
        assert len(tokens_of(text)) <= count_tokens(text) + 1
        assert count_tokens(text) <= len(tokens_of(text)) + len(text.split())
