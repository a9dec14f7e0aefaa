"""Correct a transcript: change its text, speakers or segment borders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from speakr.domain import transcript_edits as edits
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Actor
from speakr.domain.transcript_history import RevisionKind, StoredSegment
from speakr.domain.transcript_replacement import GivenSegment, replace_segments
from speakr.domain.word_alignment import count_tokens
from speakr.offload import run_cpu
from speakr.services.corrections.editing import Edit, Edited, Labels, TranscriptState, change

MAX_TEXT_LENGTH = 1_000_000
"""Characters of a whole transcript."""
_CHARACTERS_PER_SEGMENT = 40
"""A segment costs as much as so many characters, even if it is empty."""


def replace(actor: Actor, recording_id: int, body: Mapping[str, Any], *, revision: int | None) -> Edited:
    """Replace the text (`text`) or the segments (`segments`); the body has exactly one of them."""
    if ("text" in body) == ("segments" in body):
        raise Invalid("Send either text or segments", errors={"text": ["either this or segments"]})
    if "text" in body:
        run_cpu(lambda: _check_words([body["text"]], "text"))
        return _replace_text(actor, recording_id, body["text"], revision)
    given: Sequence[Mapping[str, Any]] = body["segments"]
    length = sum(len(each["text"]) for each in given)
    if length > MAX_TEXT_LENGTH:
        message = f"has at most {MAX_TEXT_LENGTH} characters in all"
        raise Invalid(f"The transcript {message}", errors={"segments": [message]})
    run_cpu(lambda: _check_words([each["text"] for each in given], "segments"))

    def make(state: TranscriptState) -> Callable[[], Edit]:
        labels = Labels(state, (each["speaker"] for each in given if each.get("speaker") is not None))
        return lambda: compute(state, labels)

    def compute(state: TranscriptState, labels: Labels) -> Edit:
        # A segment that keeps the name it is shown with keeps its label, even when several labels have that name.
        shown = {each.id: state.names.get(each.speaker) for each in state.segments}
        found = [
            GivenSegment(
                text=each["text"],
                id=each.get("id"),
                start=_within(each.get("start"), state, f"segments.{number}.start"),
                end=_within(each.get("end"), state, f"segments.{number}.end"),
                speaker=labels.label_of(each["speaker"], f"segments.{number}.speaker")
                if each.get("speaker") not in {None, shown.get(each.get("id"))}
                else None,
            )
            for number, each in enumerate(given)
        ]
        return Edit(replace_segments(state.segments, found), labels.new_names)

    size = max(length, _CHARACTERS_PER_SEGMENT * len(given))
    return change(actor, recording_id, RevisionKind.SEGMENTS, make, revision=revision, size=size)


def _check_words(texts: Iterable[str], place: str) -> None:
    """Refuse texts with too many words to align; `place` is the field that they were sent in."""
    if sum(map(count_tokens, texts)) > edits.MAX_WORDS:
        message = f"has at most {edits.MAX_WORDS} words, or characters of a script without spaces"
        raise Invalid(f"The transcript {message}", errors={place: [message]})


def _replace_text(actor: Actor, recording_id: int, text: str, revision: int | None) -> Edited:
    def make(state: TranscriptState) -> Callable[[], Edit]:
        speakers = {segment.speaker for segment in state.segments} | set(state.names.values())
        return lambda: Edit(edits.replace_text(state.segments, text, speakers, state.duration))

    return change(actor, recording_id, RevisionKind.TEXT, make, revision=revision, size=len(text))


def change_segment(
    actor: Actor, recording_id: int, index: int, body: Mapping[str, Any], *, revision: int | None
) -> Edited:
    """Change the text, speaker or times of one segment."""
    if not body:
        raise Invalid("No data provided", code="empty_body")
    _check_words([body.get("text", "")], "text")

    def make(state: TranscriptState) -> Callable[[], Edit]:
        labels = Labels(state, [body["speaker"]] if "speaker" in body else [])
        return lambda: compute(state, labels)

    def compute(state: TranscriptState, labels: Labels) -> Edit:
        changed = edits.change_segment(
            state.segments,
            index,
            text=body.get("text"),
            speaker=labels.label_of(body["speaker"]) if "speaker" in body else None,
            start=_within(body.get("start"), state, "start"),
            end=_within(body.get("end"), state, "end"),
        )
        return Edit(changed, labels.new_names)

    size = len(body.get("text", ""))
    return change(actor, recording_id, RevisionKind.SEGMENT, make, revision=revision, size=size)


def _within(seconds: float | None, state: TranscriptState, place: str) -> float | None:
    """Refuse a time after the end of the recording; round it to the millisecond."""
    if seconds is None:
        return None
    if seconds > state.duration + 0.0005:
        message = f"is after the end of the recording at {state.duration:.3f} s"
        raise Invalid(f"{place} {message}", errors={place: [message]})
    return min(round(seconds, 3), state.duration)


def set_speaker(actor: Actor, recording_id: int, body: Mapping[str, Any], *, revision: int | None) -> Edited:
    """Assign another speaker to a range of segments, or to a range of words in one segment."""
    first = body["first"]
    last = body.get("last", first)
    words = (body.get("first_word"), body.get("last_word"))
    if (words[0] is None) != (words[1] is None):
        message = "first_word and last_word belong together"
        raise Invalid(message, errors={"last_word": [message]})
    if words[0] is not None and first != last:
        message = "words can be selected in one segment only"
        raise Invalid(message, errors={"first_word": [message]})

    def make(state: TranscriptState) -> Callable[[], Edit]:
        labels = Labels(state, [body["speaker"]])
        return lambda: compute(state, labels)

    def compute(state: TranscriptState, labels: Labels) -> Edit:
        label = labels.label_of(body["speaker"])
        if words[0] is None or words[1] is None:
            changed = edits.set_speaker(state.segments, first, last, label)
        else:
            changed = edits.set_speaker_of_words(state.segments, first, words[0], words[1], label)
        return Edit(changed, labels.new_names)

    return change(actor, recording_id, RevisionKind.SPEAKER, make, revision=revision)


def split(
    actor: Actor, recording_id: int, index: int, body: Mapping[str, Any], *, revision: int | None
) -> Edited:
    """Split a segment before a word (`word`) or at a time in seconds (`time`)."""
    if ("word" in body) == ("time" in body):
        raise Invalid("Send either word or time", errors={"word": ["either this or time"]})

    def make(segments: Sequence[StoredSegment]) -> list[StoredSegment]:
        if "word" in body:
            return edits.split_at_word(segments, index, body["word"])
        return edits.split_at_time(segments, index, body["time"])

    return _change(actor, recording_id, RevisionKind.SPLIT, make, revision)


def merge(actor: Actor, recording_id: int, first: int, last: int, *, revision: int | None) -> Edited:
    """Merge adjacent segments into one."""
    return _change(
        actor, recording_id, RevisionKind.MERGE, lambda segments: edits.merge(segments, first, last), revision
    )


def delete(actor: Actor, recording_id: int, first: int, last: int, *, revision: int | None) -> Edited:
    """Delete a range of segments."""
    return _change(
        actor,
        recording_id,
        RevisionKind.DELETE,
        lambda segments: edits.delete(segments, first, last),
        revision,
    )


def _change(
    actor: Actor,
    recording_id: int,
    kind: RevisionKind,
    make: Callable[[Sequence[StoredSegment]], list[StoredSegment]],
    revision: int | None,
) -> Edited:
    return change(
        actor, recording_id, kind, lambda state: lambda: Edit(make(state.segments)), revision=revision
    )
