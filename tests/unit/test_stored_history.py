"""The stored form of changes of a transcript."""

from __future__ import annotations

import json
import zlib

from speakr.domain.transcript_history import (
    Hunk,
    StoredSegment,
    cut,
    packed,
    packed_segments,
    unpacked,
    unpacked_segments,
)


def segments(count: int) -> list[StoredSegment]:
    return [
        StoredSegment(
            n, n * 1.0, n + 1.0, f"line\n{n}", "S", 0.5, overlap=False, words=[["é", 1.0, 2.0, 0.9]]
        )
        for n in range(count)
    ]


def test_long_and_short_changes_are_read_as_they_were_written() -> None:
    for hunks in (
        [],
        [Hunk(3, 2, [])],
        [Hunk(at, 1, segments(1)) for at in range(1_200)],
        [Hunk(0, 5, segments(1_300)), Hunk(9, 0, segments(500)), Hunk(10, 1, [])],
    ):
        assert unpacked(packed(hunks)) == hunks
    for count in (0, 1, 500, 501, 1_300):
        assert unpacked_segments(packed_segments(segments(count))) == segments(count)


def test_the_earlier_form_in_one_line_is_still_read() -> None:
    old = [[0, 2, [[7, 0.0, 1.0, "text", "S", None, False, [["text", 0.0, 1.0, 0.5]]]]], [5, 1, []]]
    stored = zlib.compress(json.dumps(old).encode())
    assert [(hunk.at, hunk.size, len(hunk.old)) for hunk in unpacked(stored)] == [(0, 2, 1), (5, 1, 0)]


def test_a_long_change_is_compared_in_parts_that_cover_all_of_it() -> None:
    old, new = segments(3_000), segments(2_600)
    parts = list(cut(Hunk(4, 2_500, old), new))
    assert len(parts) == 6
    assert [each for part, _ in parts for each in part.old] == old
    assert [each for _, present in parts for each in present] == new[4:2_504]
    assert [part.at for part, _ in parts] == [4 + 2_500 * part // 6 for part in range(6)]
    short = Hunk(1, 2, old[:2_000])
    assert list(cut(short, new)) == [(short, new[1:3])]
