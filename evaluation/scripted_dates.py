"""Sentences with dates, the date that each means, and sentences that only seem to contain a future date."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from speakr.connectors.language.spoken_dates import find_dates

BERLIN = ZoneInfo("Europe/Berlin")
MOMENT = datetime(2026, 3, 11, 15, 20, tzinfo=BERLIN)
"""A Wednesday afternoon, the time of all sentences."""

PLANTED = (
    ("The review is on the nineteenth of june at half past nine.", "2026-06-19 09:30"),
    ("Let's meet tomorrow at three p.m.", "2026-03-12 15:00"),
    ("We see each other the day after tomorrow at a quarter to ten.", "2026-03-13 09:45"),
    ("Next Tuesday at two works for me.", "2026-03-17 14:00"),
    ("Can we do Friday at ten thirty?", "2026-03-13 10:30"),
    ("On Wednesday we have the retrospective.", "2026-03-18"),
    ("The launch is on March twenty-third, twenty twenty seven.", "2027-03-23"),
    ("We present on the first of april at noon.", "2026-04-01 12:00"),
    ("The board meets in two weeks on Thursday at nine o'clock.", "2026-03-26 09:00"),
    ("Let's talk again in ten days.", "2026-03-21"),
    ("A week from Monday we start at eight in the morning.", "2026-03-23 08:00"),
    ("Dinner is tonight at eight.", "2026-03-11 20:00"),
    ("This Friday from two to four pm we test.", "2026-03-13 14:00/16:00"),
    ("The workshop is on June 5th from 9:30 to 11.", "2026-06-05 09:30/11:00"),
    ("The audit is on the fifth of february at quarter past two.", "2027-02-05 14:15"),
    ("We meet on the twenty first at five.", "2026-03-21 17:00"),
    ("The deadline is the third of next month.", "2026-04-03"),
    ("We meet on Friday, the nineteenth of june, at ten.", "2026-06-19 10:00"),
    ("Monday next week at eleven we call the client.", "2026-03-16 11:00"),
    ("Next week on Thursday at 16:45 there is a demo.", "2026-03-19 16:45"),
    ("The second Tuesday of april we have training.", "2026-04-14"),
    ("The last Friday in may is a holiday.", "2026-05-29"),
    ("The conference starts on 2026-09-14 at 9 am.", "2026-09-14 09:00"),
    ("At half past nine on the nineteenth of june we start.", "2026-06-19 09:30"),
    ("Let's have a call on Monday at nine for half an hour.", "2026-03-16 09:00/09:30"),
    ("Tomorrow afternoon at four for an hour and a half.", "2026-03-12 16:00/17:30"),
    ("We fly on december the third at twenty to seven in the morning.", "2026-12-03 06:40"),
    ("Let us meet on the thirty first of march at ten oh five.", "2026-03-31 10:05"),
    ("The exam is on august 2 at 14:00.", "2026-08-02 14:00"),
    ("In three months we meet again.", "2026-06-11"),
    ("The party is on Saturday evening at seven.", "2026-03-14 19:00"),
    ("Thursday after next we close the books.", "2026-03-26"),
    ("We finish a fortnight from tomorrow.", "2026-03-26"),
    ("The renewal is due on may the fourth.", "2026-05-04"),
    ("I'll be in Berlin from the third to the fifth of May.", "2026-05-03"),
    ("We start five weeks from next Tuesday.", "2026-04-21"),
    ("Let us do it on May 5 at 3.", "2026-05-05 15:00"),
    ("The train leaves on Friday at eighteen thirty.", "2026-03-13 18:30"),
    ("We see them a week on Tuesday.", "2026-03-24"),
    ("We see them Tuesday week at nine.", "2026-03-24 09:00"),
    ("Due 6/19/2026 at 4 pm.", "2026-06-19 16:00"),
    ("Due 19/6/2026.", "2026-06-19"),
    ("We fly on Sept. 3 at noon.", "2026-09-03 12:00"),
    ("We fly on 3 Dec at six a.m.", "2026-12-03 06:00"),
    ("Let's say Tuesday the seventeenth at three in the afternoon.", "2026-03-17 15:00"),
    ("At noon on Friday we eat.", "2026-03-13 12:00"),
    ("The course runs in the week after next on Monday at nine.", "2026-03-23 09:00"),
    ("on march thirtieth at eleven a m we go live", "2026-03-30 11:00"),
    (
        "the kick off is on the twentieth of october two thousand and twenty six at one thirty",
        "2026-10-20 13:30",
    ),
)
"""Sentence, and the date, with time and end where it has them."""

NOT_PLANTED = (
    "We talked about it two weeks ago.",
    "Last Friday the server was down.",
    "We may need two of them.",
    "You may take 3 of those.",
    "The second point is the budget.",
    "We sold forty five units in march.",
    "I spent a month on it and the first version was bad.",
    "Chapter 5 has 12 pages.",
    "One moment, please.",
    "Since Monday it works.",
    "The march was long.",
)
"""Sentences without a future date."""


def written(text: str, moment: datetime = MOMENT) -> list[str]:
    """Return the dates found in a text, in the form of `PLANTED`."""
    return [
        f"{found.start:%Y-%m-%d}"
        + (f" {found.start:%H:%M}" if found.has_time else "")
        + (f"/{found.end:%H:%M}" if found.end else "")
        for found in find_dates(text, moment)
        if found.is_day
    ]
