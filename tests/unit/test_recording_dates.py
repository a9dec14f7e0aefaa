"""When a recording was made, by its tags and by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from speakr.domain.recording_dates import from_filename, from_tags, in_zone

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = datetime(2026, 7, 16, tzinfo=UTC)
LOCAL = datetime(2026, 7, 16, 11, 2, 3)  # noqa: DTZ001
IN_UTC = LOCAL.replace(tzinfo=UTC)
MINUTE = LOCAL.replace(second=0)
MAY = datetime(2024, 5, 3, 10, 20, 30)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20260716_1102_meeting.wav", MINUTE),
        ("PTT-20260716-WA0001.opus", DAY),
        ("AUD-20260716-WA0003.m4a", DAY),
        ("GMT20260716-110203_Recording.m4a", IN_UTC),
        ("GMT20260716-110203_Recording_1920x1080.mp4", IN_UTC),
        ("2026-07-16 11-02-03.mkv", LOCAL),
        ("Recording 2026-07-16 at 11.02.03.m4a", LOCAL),
        ("WhatsApp Audio 2026-07-16 at 11.02.03.ogg", LOCAL),
        ("Screen Recording 2026-07-16 at 11.02.03 PM.mov", LOCAL + timedelta(hours=12)),
        ("signal-2026-07-16-11-02-03-123.m4a", LOCAL),
        ("signal-2026-07-16-110203.m4a", LOCAL),
        ("audio_2026-07-16_11-02-03.ogg", LOCAL),
        ("Meeting-20260716_110203-Meeting Recording.mp4", LOCAL),
        ("VID_20260716_110203.mp4", LOCAL),
        ("PXL_20260716_110203123.mp4", IN_UTC),
        ("REC20260716110203.mp3", LOCAL),
        ("call_2026-07-16T11:02:03Z.wav", IN_UTC),
        ("2026-07-16 Meeting.wav", DAY),
        ("ZOOM0001.WAV", None),
        ("12345678901234.wav", None),
        ("19700101_000000.wav", None),
        ("20991231_1200.wav", None),
        ("2026-06-31.wav", None),
        ("Take 2026.wav", None),
        ("1" * 255, None),
    ],
)
def test_the_time_in_a_name(name: str, expected: datetime | None) -> None:
    assert from_filename(name, NOW) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"creation_time": "2024-05-03T10:20:30.000000Z"}, MAY.replace(tzinfo=UTC)),
        ({"date": "2024-05-03T10:20:30"}, MAY),
        ({"date": "2024-05-03"}, datetime(2024, 5, 3, tzinfo=UTC)),
        ({"date": "2024"}, None),
        ({"origination_date": "2024-05-03", "origination_time": "10:20:30"}, MAY),
        ({"origination_date": "2024:05:03", "origination_time": "10-20-30"}, MAY),
        ({"date": "2024-05-03", "creation_time": "10:20:30"}, MAY),
        ({"encoded_date": "UTC 2024-05-03 10:20:30"}, MAY.replace(tzinfo=UTC)),
        (
            {
                "creation_time": "2024-05-03T08:20:30Z",
                "com.apple.quicktime.creationdate": "2024-05-03T10:20:30+0200",
            },
            MAY.replace(tzinfo=timezone(timedelta(hours=2))),
        ),
        ({"creation_time": "1904-01-01T00:00:00Z", "date": "2024-05-03 10:20:30"}, MAY),
        ({"creation_time": "1970-01-01T00:00:00Z"}, None),
        ({"creation_time": "2099-01-01T00:00:00Z"}, None),
        ({"date": "last Tuesday"}, None),
        ({}, None),
    ],
)
def test_the_time_in_tags(tags: dict[str, str], expected: datetime | None) -> None:
    assert from_tags(tags, NOW) == expected


def test_a_time_without_a_zone_is_that_of_the_user() -> None:
    assert in_zone(LOCAL, ZoneInfo("Europe/Berlin")) == IN_UTC - timedelta(hours=2)
    assert in_zone(IN_UTC, ZoneInfo("Europe/Berlin")) == IN_UTC
