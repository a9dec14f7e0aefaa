"""The schedule, its spread, and what receivers may ask for."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakr.domain.deliveries import Verdict
from speakr.webhooks.retry_schedule import (
    SCHEDULE_SECONDS,
    classify,
    parse_retry_after,
    pause_before,
    retry_after,
    scheduled_pause,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = 86_400.0
rolls = st.floats(min_value=0, max_value=1, exclude_max=True)
attempts = st.integers(min_value=2, max_value=12)


def test_the_documented_schedule():
    hours = 3600
    assert [scheduled_pause(attempt) for attempt in range(1, 13)] == [
        0, 30, 120, 600, 3600, 3 * hours, 6 * hours, 12 * hours, 24 * hours, 24 * hours, 24 * hours, 24 * hours,
    ]  # fmt: skip
    assert len(SCHEDULE_SECONDS) == 12
    assert scheduled_pause(13) == 24 * hours


# -- what a status means


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (None, Verdict.RETRY),
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (299, Verdict.DELIVERED),
        (300, Verdict.GIVE_UP),
        (301, Verdict.GIVE_UP),
        (304, Verdict.GIVE_UP),
        (308, Verdict.GIVE_UP),
        (400, Verdict.GIVE_UP),
        (401, Verdict.GIVE_UP),
        (404, Verdict.GIVE_UP),
        (408, Verdict.RETRY),
        (409, Verdict.GIVE_UP),
        (410, Verdict.GONE),
        (413, Verdict.GIVE_UP),
        (425, Verdict.RETRY),
        (429, Verdict.RETRY),
        (499, Verdict.GIVE_UP),
        (500, Verdict.RETRY),
        (503, Verdict.RETRY),
        (599, Verdict.RETRY),
        (101, Verdict.GIVE_UP),
        (600, Verdict.RETRY),
        (99, Verdict.RETRY),
    ],
)
def test_outcomes(status, outcome):
    assert classify(status) is outcome


def test_a_body_too_large_is_retried_only_when_the_receiver_says_when():
    assert classify(413, retry_after_seconds=0.0) is Verdict.RETRY
    assert classify(404, retry_after_seconds=60.0) is Verdict.GIVE_UP
    assert classify(410, retry_after_seconds=60.0) is Verdict.GONE


@given(st.integers(min_value=0, max_value=999))
def test_every_status_has_one_outcome(status):
    assert (classify(status) is Verdict.DELIVERED) == (200 <= status <= 299)
    assert classify(status) in Verdict


# -- Retry-After


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("00060", 60.0),
        ("86400", DAY),
        ("86401", DAY),
        ("9" * 90, DAY),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("1e3", None),
        ("\u0665", None),
        ("", None),
        ("soon", None),
        ("120, 240", None),
        ("9" * 5000, None),
        ("Sun, 01 Mar 2026 12:01:40 GMT", 100.0),
        ("Sun, 01 Mar 2026 13:01:40 +0100", 100.0),
        ("Sunday, 01-Mar-26 12:01:40 GMT", 100.0),
        ("Sun Mar  1 12:01:40 2026", 100.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
        ("Fri, 31 Dec 9999 23:59:59 -2359", DAY),
        ("Sun, 99 Mar 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar 2026 12:00:00 +9999", None),
    ],
)
def test_reading_retry_after(header, seconds):
    assert parse_retry_after(header, now=NOW) == seconds


@given(st.text(max_size=60) | st.text("0123456789-+,:. GMTSunMar", max_size=40))
def test_junk_never_raises_and_never_exceeds_a_day(header):
    asked = parse_retry_after(header, now=NOW)
    assert asked is None or 0 <= asked <= DAY


@given(st.integers(min_value=-(10**6), max_value=10**6))
def test_dates_and_seconds_agree(seconds):
    header = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(header, now=NOW) == min(max(seconds, 0), DAY)


@pytest.mark.parametrize("status", [408, 413, 425, 429, 503])
def test_it_applies_where_it_has_a_meaning(status):
    assert retry_after(status, "77", now=NOW) == 77.0


@pytest.mark.parametrize("status", [None, 200, 202, 301, 400, 404, 410, 500, 502, 504])
def test_it_does_not_apply_elsewhere(status):
    assert retry_after(status, "77", now=NOW) is None


def test_no_header_asks_for_nothing():
    assert retry_after(503, None, now=NOW) is None


# -- the pause


@given(attempts, rolls)
def test_the_pause_stays_within_a_fifth_of_the_schedule(attempt, roll):
    pause = pause_before(attempt, dice=lambda: roll)
    scheduled = scheduled_pause(attempt)
    assert 0.8 * scheduled - 1e-6 <= pause <= 1.2 * scheduled + 1e-6


@given(attempts, st.floats(min_value=0, max_value=DAY), rolls)
def test_never_before_the_asked_time_nor_before_the_schedule(attempt, asked, roll):
    pause = pause_before(attempt, dice=lambda: roll, retry_after_seconds=asked)
    assert pause >= asked
    assert pause >= pause_before(attempt, dice=lambda: roll)
    assert pause <= max(min(1.2 * asked, DAY), 1.2 * scheduled_pause(attempt)) + 1e-6


def test_a_short_retry_after_does_not_shorten_the_schedule():
    assert pause_before(4, dice=lambda: 0.5, retry_after_seconds=1.0) == pytest.approx(600.0)


def test_a_huge_retry_after_is_a_day():
    asked = parse_retry_after("999999999", now=NOW)
    assert pause_before(2, dice=lambda: 0.99, retry_after_seconds=asked) == DAY


@pytest.mark.parametrize(("attempt", "asked"), [(2, None), (2, 60.0)])
def test_a_crowd_that_failed_together_comes_back_spread_out(attempt, asked):
    """10,000 failures at one instant: no second of the 30 s retry sees more than 12 % of them."""
    dice = random.Random(7).random  # noqa: S311 - a fixed crowd, not a secret
    pauses = [pause_before(attempt, dice=dice, retry_after_seconds=asked) for _ in range(10_000)]
    assert max(Counter(int(pause) for pause in pauses).values()) <= 1200


def test_the_first_attempt_is_at_once():
    assert pause_before(1, dice=lambda: 0.9) == 0.0
