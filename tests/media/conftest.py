"""What the tests of the media room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from speakr.media.base import MediaLimits

TEN_HOURS = 36_000.0


@pytest.fixture
def data() -> Path:
    """The recordings kept beside the tests; LICENCES.md says where they come from."""
    return Path(__file__).with_name("data")


@pytest.fixture
def limits() -> MediaLimits:
    """What a server allows by default."""
    return MediaLimits(max_seconds=TEN_HOURS)
