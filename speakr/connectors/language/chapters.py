"""Find the changes of subject in a conversation.

TextTiling (Hearst 1997, "TextTiling: segmenting text into multi-paragraph subtopic passages"): compare what is spoken
of before and after each sentence; a valley of similarity that is deep against the hills on both sides is a change of
subject. A valley counts from the mean depth plus one standard deviation on, and weighs more at a pause or a
change of speakers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from speakr.connectors.language.function_words import function_words
from speakr.connectors.language.keyphrases import find_key_phrases
from speakr.connectors.language.passages import stem
from speakr.connectors.language.sentences import Sentence, find_words, split_sentences
from speakr.connectors.language.titles import shorten
from speakr.domain.insights import Chapter
from speakr.domain.statements import NumberedLine

MIN_CHAPTER_SECONDS = 120.0
WINDOW_SECONDS = 60.0
"""How much speech is compared on each side, if that is enough sentences."""
MIN_WINDOW_SENTENCES, MAX_WINDOW_SENTENCES = 6, 14
DEPTH_DEVIATIONS = 1.0
MIN_DEPTH = 0.12
PAUSE_SECONDS = 1.5
PAUSE_BONUS, SPEAKER_BONUS, MARKER_BONUS = 0.10, 0.05, 0.10
PLACE_WEIGHT = 8.0
"""How much a pause or another speaker counts against the words of the sentences near a boundary."""
ABSENT_WORD_WEIGHT = 0.3
"""What a word counts that one side has not used yet: it may still."""
FARTHEST_MOVE_SENTENCES = 40
MAX_MOVES = 3
MIN_GAIN = 2.0
"""A boundary is kept if the sides resemble themselves so many times more than each other."""
MAX_TERMS = 1500
TITLE_PHRASES = 2
MAX_TITLE_LENGTH = 80

_MARKERS = (
    "next topic",
    "next item",
    "next point",
    "moving on",
    "let's move on",
    "let us move on",
    "let's turn to",
    "let us turn to",
    "let's talk about",
    "let us talk about",
    "on to the next",
    "another topic",
    "another thing",
    "next on the agenda",
    "the next thing",
    "now let's",
    "switching to",
    "turning to",
)
"""What people say when they turn to something else; in other languages pauses and words must do."""

Vector = npt.NDArray[np.float64]


def find_chapters(lines: Sequence[NumberedLine]) -> list[Chapter]:
    """Return the chapters of a transcript, the first from its beginning on; none without words."""
    sentences = split_sentences(lines)
    if not sentences:
        return []
    words = [find_words(sentence.text) for sentence in sentences]
    stop = function_words(words)
    terms = [[stem(word) for word in each if word not in stop] for each in words]
    starts = [0, *_boundaries(sentences, terms, lines)]
    return [
        Chapter(_title(sentences[first:end], stop), sentences[first].line if first else 0)
        for first, end in zip(starts, [*starts[1:], len(sentences)], strict=True)
    ]


def _boundaries(
    sentences: Sequence[Sentence], terms: Sequence[Sequence[str]], lines: Sequence[NumberedLine]
) -> list[int]:
    """Return the positions of the sentences that begin a new chapter, except the first."""
    times = np.array([sentence.start for sentence in sentences])
    if len(sentences) < 2 * MIN_WINDOW_SENTENCES or times[-1] - times[0] < 2 * MIN_CHAPTER_SECONDS:
        return []
    sums = _running_sums(_vectors(terms))
    width = _window(times)
    similarity = np.array([_similarity(sums, gap, width) for gap in range(1, len(sentences))])
    depth = _depths(similarity, width)
    threshold = max(float(depth.mean() + DEPTH_DEVIATIONS * depth.std()), MIN_DEPTH)
    bonus = np.array([_bonus(sentences, lines, gap) for gap in range(1, len(sentences))])
    worth = np.where(depth + bonus >= threshold, depth + bonus, 0.0)
    chosen: list[int] = []
    for at in np.argsort(-worth, kind="stable"):
        if worth[at] <= 0:
            break
        gap = int(at) + 1
        if _is_apart(times, gap, chosen):
            chosen.append(gap)
    placed = _moved_to_their_places(sorted(chosen), sums, bonus)
    placed = _moved_to_their_places(_worth_keeping(placed, sums), sums, bonus)
    kept: list[int] = []
    for gap in placed:
        if _is_apart(times, gap, kept):
            kept.append(gap)
    return kept


def _is_apart(times: Vector, gap: int, others: Sequence[int]) -> bool:
    """Tell whether a chapter that begins here is long enough, and so is the one before it."""
    return all(abs(times[gap] - times[other]) >= MIN_CHAPTER_SECONDS for other in (0, *others)) and bool(
        times[-1] - times[gap] >= MIN_CHAPTER_SECONDS / 2
    )


def _window(times: Vector) -> int:
    """Return how many sentences one side of a comparison has."""
    seconds_each = max(float(times[-1] - times[0]) / len(times), 0.1)
    return min(max(round(WINDOW_SECONDS / seconds_each), MIN_WINDOW_SENTENCES), MAX_WINDOW_SENTENCES)


def _vectors(terms: Sequence[Sequence[str]]) -> npt.NDArray[np.float32]:
    """Return TF-IDF rows, shape (n, v); words said in one sentence only tell nothing about others."""
    present = Counter(term for each in terms for term in set(each))
    columns = {
        term: column
        for column, term in enumerate(term for term, count in present.most_common(MAX_TERMS) if count > 1)
    }
    vectors = np.zeros((len(terms), max(len(columns), 1)), dtype=np.float32)
    for row, each in enumerate(terms):
        for term, count in Counter(each).items():
            if term in columns:
                weight = math.log((1 + len(terms)) / (1 + present[term])) + 0.1
                vectors[row, columns[term]] = (1.0 + math.log(count)) * weight
    return vectors


def _running_sums(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.vstack([np.zeros((1, vectors.shape[1]), dtype=np.float32), np.cumsum(vectors, axis=0)])


def _similarity(sums: npt.NDArray[np.float32], gap: int, width: int) -> float:
    """Return the cosine of what is said in the sentences before a gap and after it."""
    last = len(sums) - 1
    before = sums[gap] - sums[max(gap - width, 0)]
    after = sums[min(gap + width, last)] - sums[gap]
    return _cosine(before, after)


def _cosine(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other) + 1e-9))


def _depths(similarity: Vector, width: int) -> Vector:
    """Return how deep each valley lies below the hills on its sides, as far as one window reaches."""
    depth = np.zeros_like(similarity)
    for at, value in enumerate(similarity):
        left = similarity[max(at - width, 0) : at + 1].max()
        right = similarity[at : at + width + 1].max()
        depth[at] = left + right - 2 * value
    return depth


def _bonus(sentences: Sequence[Sentence], lines: Sequence[NumberedLine], gap: int) -> float:
    before, after = sentences[gap - 1].parts[-1][0], sentences[gap].line
    if before == after:
        return _marker_bonus(sentences[gap].text)
    ended = lines[before].end
    is_pause = ended is not None and lines[after].start - ended >= PAUSE_SECONDS
    bonus = PAUSE_BONUS if is_pause else 0.0
    bonus += SPEAKER_BONUS if lines[before].speaker != lines[after].speaker else 0.0
    return bonus + _marker_bonus(sentences[gap].text)


def _marker_bonus(text: str) -> float:
    spoken = text.lower()
    return MARKER_BONUS if any(marker in spoken for marker in _MARKERS) else 0.0


def _worth_keeping(chosen: Sequence[int], sums: npt.NDArray[np.float32]) -> list[int]:
    """Drop boundaries, the weakest first, whose sides resemble each other nearly as much as themselves."""
    kept = list(chosen)
    while kept:
        gains = [
            _gain(sums, ([0, *kept][at], kept[at], [*kept, len(sums) - 1][at + 1])) for at in range(len(kept))
        ]
        weakest = int(np.argmin(gains))
        if gains[weakest] >= MIN_GAIN:
            break
        del kept[weakest]
    return kept


def _gain(sums: npt.NDArray[np.float32], edges: tuple[int, int, int]) -> float:
    """Return how much more the halves of each side resemble each other than the sides do."""
    first, gap, end = edges
    inside = []
    for low, high in ((first, gap), (gap, end)):
        # Sentences taken in turns: both halves are spread over the whole side.
        rows = sums[low + 1 : high + 1] - sums[low:high]
        inside.append(_cosine(rows[::2].sum(axis=0), rows[1::2].sum(axis=0)))
    return (sum(inside) / 2) / (_cosine(sums[gap] - sums[first], sums[end] - sums[gap]) + 1e-3)


def _moved_to_their_places(gaps: Sequence[int], sums: npt.NDArray[np.float32], bonus: Vector) -> list[int]:
    """Move each boundary to where the words of one side end and those of the other begin."""
    moved = list(gaps)
    for _ in range(MAX_MOVES):
        edges = [0, *moved, len(sums) - 1]
        places = {
            _best_place(sums, bonus, (edges[at], edges[at + 1], edges[at + 2])) for at in range(len(moved))
        }
        moved = sorted(places - {0, len(sums) - 1})
        if moved == edges[1:-1]:
            break
    return moved


def _best_place(sums: npt.NDArray[np.float32], bonus: Vector, edges: tuple[int, int, int]) -> int:
    """Return the best gap near the middle one of three edges."""
    first, gap, end = edges
    reach = min(FARTHEST_MOVE_SENTENCES, (gap - first) // 2, (end - gap) // 2)
    low, high = gap - reach, gap + reach
    before, after = sums[low] - sums[first], sums[end] - sums[high]
    # How much likelier each sentence near the boundary is among those before it than among those after it.
    rows = sums[low + 1 : high + 1] - sums[low:high]
    belongs = rows @ (_log_shares(before) - _log_shares(after))
    fits = np.concatenate([[0.0], np.cumsum(belongs)]) + PLACE_WEIGHT * bonus[low - 1 : high]
    # Of equals the last: an answer belongs to what it answers.
    return low + len(fits) - 1 - int(np.argmax(fits[::-1]))


def _log_shares(terms: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the logarithms of how likely each term is where these were spoken, shape (v,)."""
    weights = terms + np.float32(ABSENT_WORD_WEIGHT)
    shares: npt.NDArray[np.float32] = np.log(weights / weights.sum())
    return shares


def _title(sentences: Sequence[Sentence], stop: frozenset[str]) -> str:
    phrases = find_key_phrases((sentence.text for sentence in sentences), stop, TITLE_PHRASES)
    title = ", ".join(phrase.text for phrase in phrases) or sentences[0].text
    return shorten(title[:1].upper() + title[1:], MAX_TITLE_LENGTH)
