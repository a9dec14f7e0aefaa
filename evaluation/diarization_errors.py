"""The diarization error rate: the share of speech time with wrong speakers.

Source: NIST, "The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan": missed speech, false alarms and confused speakers, divided by the speech time, with the pairing of speakers that agrees most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FRAME_SECONDS = 0.01
COLLAR_SECONDS = 0.25
"""Seconds around each boundary of the reference that do not count, because annotators disagree about boundaries."""

Turns = Sequence[tuple[float, float, str]]
"""Start and end in seconds, and the speaker. Turns of different speakers may overlap."""


@dataclass(frozen=True)
class Errors:
    """Seconds of each kind of error, and of speech; two simultaneous speakers count twice."""

    missed: float = 0.0
    false_alarm: float = 0.0
    confused: float = 0.0
    spoken: float = 0.0

    @property
    def rate(self) -> float:
        """The diarization error rate, in percent."""
        return 100 * (self.missed + self.false_alarm + self.confused) / self.spoken if self.spoken else 0.0

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.missed + other.missed,
            self.false_alarm + other.false_alarm,
            self.confused + other.confused,
            self.spoken + other.spoken,
        )


def diarization_errors(
    reference: Turns, found: Turns, duration: float, collar: float = COLLAR_SECONDS
) -> Errors:
    """Compare found turns with the reference."""
    frames = round(duration / FRAME_SECONDS)
    counted = np.ones(frames, bool)
    if collar:
        for start, end, _ in reference:
            for edge in (start, end):
                counted[_frame(edge - collar) : _frame(edge + collar)] = False
    spoken = _activity(reference, frames)[:, counted]
    recognized = _activity(found, frames)[:, counted]
    together = spoken.astype(np.int64) @ recognized.T.astype(np.int64)
    agreed = sum(int(together[one, other]) for one, other in best_pairs(together))
    spoken_count, recognized_count = spoken.sum(axis=0), recognized.sum(axis=0)
    both = np.minimum(spoken_count, recognized_count).sum()
    return Errors(
        missed=FRAME_SECONDS * float(np.maximum(spoken_count - recognized_count, 0).sum()),
        false_alarm=FRAME_SECONDS * float(np.maximum(recognized_count - spoken_count, 0).sum()),
        confused=FRAME_SECONDS * float(both - agreed),
        spoken=FRAME_SECONDS * float(spoken_count.sum()),
    )


def _frame(seconds: float) -> int:
    return max(0, round(seconds / FRAME_SECONDS))


def _activity(turns: Turns, frames: int) -> npt.NDArray[np.bool_]:
    """Return the activity of each speaker by frame, shape (speakers, frames)."""
    people = {who: at for at, who in enumerate(sorted({who for _, _, who in turns}))}
    activity = np.zeros((len(people), frames), bool)
    for start, end, who in turns:
        activity[people[who], _frame(start) : _frame(end)] = True
    return activity


def best_pairs(gain: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return pairs (row, column), none used twice, with the largest sum.

    Source: H. Kuhn, "The Hungarian method for the assignment problem" (1955), in the form with potentials that
    adds one row at a time along a shortest path.
    """
    if not gain.size:
        return []
    if gain.shape[0] > gain.shape[1]:
        return [(row, column) for column, row in best_pairs(gain.T)]
    rows, columns = gain.shape
    cost = -gain.astype(np.float64)
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    row_of = np.full(columns, -1)
    for new in range(rows):
        shortest = np.full(columns, np.inf)
        came_from = np.full(columns, -1)
        settled = np.zeros(columns, bool)
        row, at = new, -1
        while True:
            slack = cost[row] - row_price[row] - column_price
            nearer = ~settled & (slack < shortest)
            shortest[nearer], came_from[nearer] = slack[nearer], at
            nearest = int(np.where(settled, np.inf, shortest).argmin())
            step = shortest[nearest]
            row_price[new] += step
            row_price[row_of[settled]] += step
            column_price[settled] -= step
            shortest[~settled] -= step
            settled[nearest] = True
            at = nearest
            if row_of[at] < 0:
                break
            row = int(row_of[at])
        while at >= 0:
            before = int(came_from[at])
            row_of[at] = row_of[before] if before >= 0 else new
            at = before
    return [(int(row), column) for column, row in enumerate(row_of) if row >= 0]
