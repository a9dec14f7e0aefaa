"""A short meeting with everything that is difficult for subtitle files."""

from collections.abc import Sequence

import pytest

from speakr.domain.transcript import Segment


@pytest.fixture
def meeting() -> Sequence[Segment]:
    return (
        Segment(0.0, 4.8, "Good morning, everybody.", "Alice"),
        Segment(4.8, 7.0004, "Morning! Is R&D < 3 people > 2?", "Bob O'Neill"),
        Segment(6.5, 9.25, "Two at once --> and an arrow.", "Alice"),
        Segment(
            9.25, 12.3456, "First line.\n\n2\r\n00:00:01,000 --> 00:00:02,000\nLast line.", "Zoë <script>"
        ),
        Segment(12.5, 13.0, "   ", "Alice"),
        Segment(3599.9996, 3661.5, "次の会議は来週です。", "SPEAKER_03"),
    )
