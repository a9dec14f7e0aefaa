"""Merging recordings: sound, words, speakers, corrections and what hangs on a recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from speakr.backends import Backends
from speakr.db import db, release, unit_of_work
from speakr.domain.events import EventType
from speakr.models import Event, JobBlob, Recording, RecordingSpeaker, RecordingTag, Speaker, Tag
from speakr.services.speech import voice_profiles
from speakr.services.speech.voice_profiles import ProfileVoice
from tests.api.corrections import V1, Transcript, name, spoken
from tests.api.sounding import RATE, detail, loudest, merge, merged, sound_of, sounding, words_with_times
from tests.conftest import Person

FIRST = (("SPEAKER_00", "Good morning all."), ("SPEAKER_01", "Hello Miss Austin here."))
SECOND = (("SPEAKER_00", "We start with the budget."), ("SPEAKER_01", "It is spent."))

Work = Callable[[], Any]


def event_types(recording_id: int) -> list[str]:
    release()
    found = db.session.scalars(
        select(Event.type).where(Event.recording_id == recording_id).order_by(Event.id)
    )
    return [str(each) for each in found]


def test_merged_audio_is_that_of_the_originals_sample_by_sample(
    alice: Person, work: Work, tmp_path: Path
) -> None:
    one, first = sounding(alice, FIRST)
    two, second = sounding(alice, SECOND, frequency=900.0)
    answer = merge(alice, two, one)
    assert (answer.status_code, answer.json["status"], answer.json["file_size"]) == (202, "PENDING", 0)
    assert alice.get(f"{V1}/{answer.json['id']}/audio").status_code == 404
    work()
    found = detail(alice, answer.json["id"])
    assert (found["status"], found["audio_available"], found["audio_duration"]) == ("COMPLETED", True, 40.0)
    assert found["mime_type"] == "audio/flac"
    samples, rate = sound_of(found["id"], tmp_path)
    assert rate == RATE
    assert np.array_equal(samples, np.concatenate([second, first]))
    played = alice.get(f"{V1}/{found['id']}/audio")
    assert (played.status_code, len(played.data)) == (200, found["file_size"])


def test_words_of_a_merged_recording_point_at_the_same_sound(
    alice: Person, work: Work, tmp_path: Path
) -> None:
    one, _ = sounding(alice, FIRST, audio_duration=19.5)
    two, _ = sounding(alice, SECOND, frequency=900.0)
    new = merged(alice, work, one, two, gap_seconds=1.25)
    words = words_with_times(alice, new)
    assert [word for word, _, _ in words] == [word for _, text in (*FIRST, *SECOND) for word in text.split()]
    samples, rate = sound_of(new, tmp_path)
    assert samples.size == round((19.5 + 1.25 + 20.0) * rate)
    frequencies = [300.0 + 50 * n for n in range(7)] + [900.0 + 50 * n for n in range(8)]
    for (word, start, end), frequency in zip(words, frequencies, strict=True):
        assert loudest(samples, rate, start, end) == pytest.approx(frequency, abs=3), word
    assert words[7] == ("We", 20.75, 21.55)
    assert not samples[round(19.5 * rate) : round(20.75 * rate)].any(), "the gap is silent"


def test_compressed_sources_become_compact_audio_with_the_same_times(
    alice: Person, work: Work, tmp_path: Path
) -> None:
    one, _ = sounding(alice, FIRST, mime_type="audio/mpeg", original_filename="talk.mp3")
    two, _ = sounding(alice, SECOND, frequency=900.0)
    new = merged(alice, work, one, two)
    found = detail(alice, new)
    assert (found["mime_type"], found["original_filename"]) == ("audio/ogg", "talk-merged.opus")
    assert found["file_size"] < 40 * 10_000
    samples, rate = sound_of(new, tmp_path)
    assert samples.size == 40 * rate
    for (word, start, end), frequency in zip(
        words_with_times(alice, new), [*range(300, 650, 50), *range(900, 1300, 50)], strict=True
    ):
        assert loudest(samples, rate, start, end) == pytest.approx(frequency, abs=3), word


def test_corrected_and_recognised_text_are_both_joined(alice: Person, work: Work) -> None:
    one = spoken(alice, FIRST)
    two = spoken(alice, SECOND)
    assert Transcript(alice, one).patch(1, {"text": "Hello, Miss Austen here."}).status_code == 200
    new = Transcript(alice, merged(alice, work, one, two))
    assert new.said() == [
        "Good morning all.", "Hello, Miss Austen here.", "We start with the budget.", "It is spent.",
    ]  # fmt: skip
    assert new.said(version="raw") == [text for _, text in (*FIRST, *SECOND)]
    assert [each[3] for each in new.words(1)] == [False, False, True, False]
    assert [each["id"] for each in new.segments(version="raw")] == [each["id"] for each in new.segments()]
    assert new.history()["revisions"] == []
    assert new.patch(0, {"text": "Morning all."}).json["revision"] == 1
    assert new.said(version="raw")[0] == "Good morning all."
    assert Transcript(alice, one).said()[0] == "Good morning all."


def test_text_is_joined_as_it_was_when_the_merge_was_asked_for(alice: Person, work: Work) -> None:
    one = spoken(alice, FIRST)
    two = spoken(alice, SECOND)
    answer = merge(alice, one, two)
    assert Transcript(alice, one).patch(0, {"text": "Something else."}).status_code == 200
    work()
    assert Transcript(alice, answer.json["id"]).said()[0] == "Good morning all."
    assert Transcript(alice, answer.json["id"]).said(version="raw")[0] == "Good morning all."


def test_speakers_of_one_name_become_one_and_unknown_ones_stay_apart(alice: Person, work: Work) -> None:
    one = spoken(alice, FIRST)
    two = spoken(alice, SECOND)
    with unit_of_work() as session:
        ann = Speaker(user_id=alice.id, name="Ann")
        session.add(ann)
        session.flush()
        session.add_all(
            RecordingSpeaker(
                recording_id=recording_id, label=label, name="Ann", speaker_id=ann.id, confirmed=confirmed
            )
            for recording_id, label, confirmed in ((one, "SPEAKER_01", False), (two, "SPEAKER_00", True))
        )
        ann_id = ann.id
    new = merged(alice, work, one, two)
    assert Transcript(alice, new).speakers() == ["SPEAKER_00", "Ann", "Ann", "SPEAKER_02"]
    speakers = alice.get(f"{V1}/{new}/speakers").json["speakers"]
    assert [each["identified_name"] for each in speakers] == [None, "Ann", None]
    release()
    (row,) = db.session.scalars(select(RecordingSpeaker).where(RecordingSpeaker.recording_id == new))
    assert (row.label, row.speaker_id, row.confirmed) == ("SPEAKER_01", ann_id, True)
    assert detail(alice, new)["participants"] == "Ann"


def test_a_speaker_who_is_known_by_voice_gets_the_name(alice: Person, work: Work) -> None:
    one, two = spoken(alice, FIRST), spoken(alice, SECOND)
    ann, other = (voice_profiles._HALF_FLOATS.pack(*each, *[0.0] * 190) for each in ((1.0, 0.0), (0.0, 1.0)))
    with unit_of_work() as session:
        speaker = Speaker(user_id=alice.id, name="Ann")
        session.add(speaker)
        session.flush()
        session.add(RecordingSpeaker(recording_id=one, label="SPEAKER_01", name="Ann", speaker_id=speaker.id))
        voice_profiles.keep(one, [ProfileVoice("SPEAKER_01", ann, 30.0)])
        voice_profiles.keep(
            two, [ProfileVoice("SPEAKER_00", ann, 10.0), ProfileVoice("SPEAKER_01", other, 9.0)]
        )
    new = merged(alice, work, one, two)
    assert Transcript(alice, new).speakers() == ["SPEAKER_00", "Ann", "Ann", "SPEAKER_02"]
    assert [(each.label, each.seconds) for each in voice_profiles.voices_of(new)] == [
        ("SPEAKER_01", 40.0), ("SPEAKER_02", 9.0),
    ]  # fmt: skip


def test_tags_notes_folder_and_date_come_along(alice: Person, work: Work) -> None:
    one = spoken(alice, FIRST, title="Monday", notes="Ask Ann.", participants="Ann")
    two = spoken(alice, SECOND, title="Tuesday", notes="Ask Bo.", participants="Bo, Ann")
    with unit_of_work() as session:
        tags = [Tag(user_id=alice.id, name=word) for word in ("a", "b", "c")]
        session.add_all(tags)
        session.flush()
        session.add_all(
            RecordingTag(recording_id=recording_id, tag_id=tags[n].id, position=at)
            for recording_id, n, at in ((one, 1, 1), (one, 0, 2), (two, 0, 1), (two, 2, 2))
        )
    alice.patch(f"{V1}/{two}", json={"meeting_date": "2026-03-01T09:00:00Z"})
    new = detail(alice, merged(alice, work, two, one))
    assert (new["title"], new["notes"]) == ("Tuesday", "Ask Bo.\n\nAsk Ann.")
    assert new["participants"] == "Ann, Bo"
    assert [tag["name"] for tag in new["tags"]] == ["a", "c", "b"]
    assert new["meeting_date"] == "2026-03-01T09:00:00Z"
    assert detail(alice, merged(alice, work, one, two, title=" Both "))["title"] == "Both"


def test_events_search_and_summary_follow_as_after_a_transcription(alice: Person, work: Work) -> None:
    one = spoken(alice, FIRST)
    two = spoken(alice, SECOND)
    new = merged(alice, work, one, two)
    assert event_types(new)[:2] == [
        EventType.RECORDING_CREATED,
        EventType.TRANSCRIPTION_COMPLETED,
    ]
    assert EventType.SUMMARY_COMPLETED in event_types(new)
    assert detail(alice, new)["summary"]
    found = alice.get("/api/v1/search?q=budget").json["results"]
    assert {each["recording"]["id"] for each in found} == {two, new}


def test_originals_are_deleted_with_the_completed_merge_only(
    alice: Person, work: Work, backends: Backends
) -> None:
    one, _ = sounding(alice, FIRST)
    two, _ = sounding(alice, SECOND)
    answer = merge(alice, one, two, keep_originals=False)
    assert detail(alice, one)["audio_available"]
    work()
    assert [alice.get(f"{V1}/{each}").status_code for each in (one, two)] == [404, 404]
    new = detail(alice, answer.json["id"])
    assert (new["status"], new["audio_available"]) == ("COMPLETED", True)
    release()
    kept = db.session.scalars(select(Recording.storage_key)).all()
    assert [key for key, _ in backends.storage.keys("audio")] == kept
    assert db.session.scalars(select(JobBlob)).all() == []


def test_an_original_that_was_corrected_meanwhile_is_not_deleted(alice: Person, work: Work) -> None:
    one, two = spoken(alice, FIRST), spoken(alice, SECOND)
    answer = merge(alice, one, two, keep_originals=False)
    assert Transcript(alice, one).patch(0, {"text": "Good evening all."}).status_code == 200
    work()
    assert Transcript(alice, answer.json["id"]).said()[0] == "Good morning all."
    assert Transcript(alice, one).said()[0] == "Good evening all."
    assert alice.get(f"{V1}/{two}").status_code == 404


def test_recordings_without_audio_are_merged_as_text(alice: Person, work: Work) -> None:
    one, two = spoken(alice, FIRST), spoken(alice, SECOND)
    new = merged(alice, work, one, two)
    found = detail(alice, new)
    assert (found["status"], found["audio_available"]) == ("COMPLETED", False)
    assert words_with_times(alice, new)[7] == ("We", 20.0, 20.8)


def test_a_label_of_an_unknown_speaker_is_not_given_to_another(alice: Person, work: Work) -> None:
    one, two = spoken(alice, FIRST), spoken(alice, FIRST)
    name(one, "SPEAKER_00", "Ann")
    name(two, "SPEAKER_01", "Ann")
    assert Transcript(alice, merged(alice, work, one, two)).speakers() == [
        "Ann", "SPEAKER_01", "SPEAKER_02", "Ann",
    ]  # fmt: skip
