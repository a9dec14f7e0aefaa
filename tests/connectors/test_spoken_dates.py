"""Every date that is spoken of is the one that was meant."""

from __future__ import annotations

import pytest

from evaluation.scripted_dates import BERLIN, MOMENT, NOT_PLANTED, PLANTED, written
from speakr.connectors.language.spoken_dates import find_dates
from speakr.connectors.language.spoken_numbers import numbers_in, to_digits


@pytest.mark.parametrize(("said", "meant"), PLANTED, ids=[said for said, _ in PLANTED])
def test_a_planted_date_is_resolved(said: str, meant: str) -> None:
    assert written(said) == [meant]


@pytest.mark.parametrize("said", NOT_PLANTED)
def test_what_is_no_coming_day_is_left_alone(said: str) -> None:
    assert written(said) == []


def test_two_dates_keep_their_own_times() -> None:
    said = "We meet on Monday at nine and on Tuesday at half past three."
    assert written(said) == ["2026-03-16 09:00", "2026-03-17 15:30"]


def test_a_date_is_quoted_as_it_was_said() -> None:
    said = "So, the nineteenth of June at half past nine, then."
    (found,) = find_dates(said, MOMENT)
    assert said[found.first : found.last] == "the nineteenth of June at half past nine"
    assert found.start.tzinfo is BERLIN


def test_limits_are_known_as_such() -> None:
    (found,) = find_dates("Please send it by the end of next week.", MOMENT)
    assert (found.start.date().isoformat(), found.is_day) == ("2026-03-20", False)


def test_the_twenty_ninth_of_february_comes_in_a_leap_year() -> None:
    assert written("It is on the twenty ninth of february.") == ["2028-02-29"]


def test_numbers_are_the_same_spoken_and_written() -> None:
    assert numbers_in("forty five thousand euros on the second") == numbers_in("45,000 on the 2nd")
    assert [token.text for token in to_digits("twenty-one at ten to five")] == ["21", "at", "4:50"]
