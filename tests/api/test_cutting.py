"""Cutting a recording in two: sound, words, speakers, corrections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from speakr.db import db, release, unit_of_work
from speakr.jobs import runner
from speakr.models import RecordingSpeaker, RecordingTag, RecordingVoice, Speaker, Tag
from speakr.services.speech import voice_profiles
from speakr.services.speech.voice_profiles import ProfileVoice
from tests.api.corrections import V1, Transcript, spoken
from tests.api.sounding import RATE, cut, detail, halves, loudest, sound_of, sounding, words_with_times
from tests.conftest import Person
from tests.fakes import MemoryJobNotifier

TALK = (
    ("SPEAKER_00", "Good morning all."),
    ("SPEAKER_01", "We start with the budget."),
    ("SPEAKER_00", "It is spent."),
)

Work = Callable[[], Any]


def test_both_halves_together_are_the_original_sample_by_sample(
    alice: Person, work: Work, tmp_path: Path
) -> None:
    one, sound = sounding(alice, TALK)
    first, second = halves(alice, work, one, 12.3456)
    samples = [sound_of(each, tmp_path)[0] for each in (first, second)]
    assert [piece.size for piece in samples] == [round(12.346 * RATE), round((30 - 12.346) * RATE)]
    assert np.array_equal(np.concatenate(samples), sound)
    assert [detail(alice, each)["audio_duration"] for each in (first, second)] == [12.346, 17.654]


def test_words_of_both_halves_point_at_the_same_sound(alice: Person, work: Work, tmp_path: Path) -> None:
    one, _ = sounding(alice, TALK, mime_type="audio/mpeg")
    # "with" is said from 12.0 to 12.8: its middle lies before the cut.
    first, second = halves(alice, work, one, 12.5)
    assert Transcript(alice, first).said() == ["Good morning all.", "We start with"]
    assert Transcript(alice, second).said() == ["the budget.", "It is spent."]
    frequencies = iter(300.0 + 50 * n for n in range(11))
    for half in (first, second):
        samples, rate = sound_of(half, tmp_path)
        for word, start, end in words_with_times(alice, half):
            assert loudest(samples, rate, start, end) == pytest.approx(next(frequencies), abs=4), word
    assert words_with_times(alice, first)[-1] == ("with", 12.0, 12.5)
    assert words_with_times(alice, second)[0] == ("the", 0.5, 1.3)
    assert Transcript(alice, second).segments()[0]["start_time"] == 0.5


@pytest.mark.parametrize(("at", "left"), [(12.39, "We start"), (12.41, "We start with")])
def test_a_word_belongs_to_the_side_of_its_middle(alice: Person, work: Work, at: float, left: str) -> None:
    first, _ = halves(alice, work, spoken(alice, TALK), at)
    assert Transcript(alice, first).said()[-1] == left


def test_corrections_and_recognised_text_are_cut_alike(alice: Person, work: Work) -> None:
    one = spoken(alice, TALK)
    assert Transcript(alice, one).patch(1, {"text": "We start with the money."}).status_code == 200
    answer = cut(alice, one, 12.5)
    assert Transcript(alice, one).patch(0, {"text": "Changed later."}).status_code == 200
    work()
    first, second = (Transcript(alice, each["id"]) for each in answer.json["recordings"])
    assert first.said() == ["Good morning all.", "We start with"]
    assert second.said() == ["the money.", "It is spent."]
    assert second.said(version="raw") == ["the budget.", "It is spent."]
    assert [each[3] for each in second.words(0)] == [False, True]
    assert second.patch(0, {"text": "the cash."}).json["revision"] == 1


def test_speakers_tags_and_titles_are_kept_on_both_sides(alice: Person, work: Work) -> None:
    one = spoken(alice, TALK, title="Planning", notes="Ask Ann.")
    with unit_of_work() as session:
        ann, tag = Speaker(user_id=alice.id, name="Ann"), Tag(user_id=alice.id, name="a")
        session.add_all([ann, tag])
        session.flush()
        session.add(RecordingTag(recording_id=one, tag_id=tag.id, position=1))
        session.add(RecordingSpeaker(recording_id=one, label="SPEAKER_00", name="Ann", speaker_id=ann.id))
        vector = voice_profiles._HALF_FLOATS.pack(1.0, *[0.0] * 191)
        voice_profiles.keep(one, [ProfileVoice("SPEAKER_00", vector, 18.0)])
    alice.patch(f"{V1}/{one}", json={"meeting_date": "2026-03-01T09:00:00Z"})
    first, second = (detail(alice, each) for each in halves(alice, work, one, 20.0))
    assert [first["title"], second["title"]] == ["Planning (1/2)", "Planning (2/2)"]
    assert [first["meeting_date"], second["meeting_date"]] == ["2026-03-01T09:00:00Z", "2026-03-01T09:00:20Z"]
    assert first["notes"] == second["notes"] == "Ask Ann."
    assert [tag["name"] for each in (first, second) for tag in each["tags"]] == ["a", "a"]
    assert Transcript(alice, first["id"]).speakers() == ["Ann", "SPEAKER_01"]
    assert Transcript(alice, second["id"]).speakers() == ["Ann"]
    release()
    query = select(RecordingVoice.seconds).where(RecordingVoice.recording_id.in_([first["id"], second["id"]]))
    assert db.session.scalars(query).all() == [9.0, 9.0], "each half has half of the speech behind the voice"
    titled = cut(alice, one, 20.0, titles=["Planning", "  "]).json["recordings"]
    assert [each["title"] for each in titled] == ["Planning", "Planning (2/2)"]


def test_a_placeholder_title_stays_one_so_that_a_summary_brings_a_title(alice: Person, work: Work) -> None:
    one = spoken(alice, TALK, title="Recording - a.wav")
    titles = {detail(alice, each)["title"] for each in halves(alice, work, one, 20.0)}
    assert not any(title.startswith("Recording - ") for title in titles)


def test_the_original_is_deleted_with_the_second_half_only(
    alice: Person, notifier: MemoryJobNotifier
) -> None:
    one, _ = sounding(alice, TALK)
    answer = cut(alice, one, 15.0, keep_original=False)
    first_job, second_job = (notification[1] for notification in notifier.notifications)
    runner.run(second_job)
    assert detail(alice, answer.json["recordings"][1]["id"])["audio_available"]
    assert detail(alice, one)["audio_available"]
    runner.run(first_job)
    assert detail(alice, answer.json["recordings"][0]["id"])["audio_available"]
    assert alice.get(f"{V1}/{one}").status_code == 404


def test_the_original_stays_when_a_half_was_deleted(alice: Person, work: Work) -> None:
    one = spoken(alice, TALK)
    answer = cut(alice, one, 15.0, keep_original=False)
    assert alice.delete(f"{V1}/{answer.json['recordings'][1]['id']}").status_code == 200
    work()
    assert detail(alice, answer.json["recordings"][0]["id"])["status"] == "COMPLETED"
    assert detail(alice, one)["status"] == "COMPLETED"


def test_a_cut_happens_only_to_the_transcript_that_was_read(alice: Person, work: Work) -> None:
    one = spoken(alice, TALK)
    path = f"{V1}/{one}/cut"
    tag = Transcript(alice, one).tag()
    assert Transcript(alice, one).patch(0, {"text": "Changed."}).status_code == 200
    refused = alice.post(path, json={"at": 15.0}, headers={"If-Match": tag})
    assert (refused.status_code, refused.json["code"]) == (412, "precondition_failed")
    tag = Transcript(alice, one).tag()
    assert alice.post(path, json={"at": 15.0}, headers={"If-Match": tag}).status_code == 202
