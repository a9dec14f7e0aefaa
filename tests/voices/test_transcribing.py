"""Speakers and their voices, from an upload to a recording with a recognised speaker."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import func, select
from structlog.testing import capture_logs

from speakr.backends import Backends
from speakr.connectors.transcription.base import AudioChunk
from speakr.db import db, unit_of_work
from speakr.domain.errors import ConnectorUnavailable
from speakr.domain.transcript import Hypothesis, Segment
from speakr.jobs import runner
from speakr.media.voices import networks, weights
from speakr.media.voices.vectors import DIMENSIONS
from speakr.models import JobChunk, Recording, RecordingSpeaker, RecordingVoice
from speakr.services.accounts import users
from speakr.settings import Settings
from tests.conftest import Person
from tests.fakes import FakeTranscriber, MemoryJobNotifier
from tests.voices.conftest import Talk

V1 = "/api/v1"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, diarization=True)


@pytest.fixture
def work(app: Flask, notifier: MemoryJobNotifier) -> Callable[[], None]:
    """Do all work that is waiting; speech is found by the real model."""

    def answer_all() -> None:
        while notifier.notifications:
            runner.run(notifier.notifications.pop(0)[1])

    return answer_all


@pytest.fixture
def transcribe(work, upload) -> Callable[..., int]:
    """Upload a talk and transcribe it; return the recording's id."""

    def done(person: Person, talk: Talk, gain: float = 1.0, **fields: object) -> int:
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes((talk.samples * gain).astype("<i2").tobytes())
        answer = upload(person, buffer.getvalue(), **fields)
        assert answer.status_code == 202, answer.json
        work()
        return int(answer.json["id"])

    return done


def labels(person: Person, recording_id: int) -> list[str]:
    segments = person.get(f"{V1}/recordings/{recording_id}/transcript").json["segments"]
    return [segment["speaker"] for segment in segments]


def ignored_options(person: Person, recording_id: int) -> list[str]:
    jobs = person.get(f"{V1}/jobs?recording_id={recording_id}").json["jobs"]
    (found,) = [job["ignored_options"] for job in jobs if job["kind"] == "transcribe"]
    return found


def voices_kept() -> int:
    return db.session.scalar(select(func.count()).select_from(RecordingVoice)) or 0


def speakers(person: Person) -> dict[str, tuple[bool, float | None]]:
    return {
        each["name"]: (each["has_voice_profile"], each["confidence_score"])
        for each in person.get(f"{V1}/speakers").json["speakers"]
    }


def assign(person: Person, recording_id: int, **names: str) -> int:
    answer = person.put(f"{V1}/recordings/{recording_id}/speakers/assign", json={"speaker_map": names})
    assert answer.status_code == 200, answer.json
    return answer.json["embeddings_updated"]


def test_a_voice_is_learned_recognised_and_forgotten(
    alice: Person, transcribe, dialogue: Talk, monologue: Talk
) -> None:
    first = transcribe(alice, dialogue)
    spoken = labels(alice, first)
    assert spoken[0] == "SPEAKER_00"
    assert set(spoken) == {"SPEAKER_00", "SPEAKER_01"}
    assert speakers(alice) == {}

    assert assign(alice, first, SPEAKER_00="Ann", SPEAKER_01="Tin") == 2
    (has_profile, confidence), _ = speakers(alice)["Ann"], None
    assert has_profile
    assert 0.3 < confidence < 0.7

    second = transcribe(alice, monologue, gain=0.5)
    shown = alice.get(f"{V1}/recordings/{second}/speakers").json
    assert [each["identified_name"] for each in shown["speakers"]] == ["Ann"]
    assert alice.get(f"{V1}/recordings/{second}").json["participants"] == "Ann"
    assert speakers(alice)["Ann"] == (True, confidence), "it learned from its own guess"

    assert assign(alice, second, SPEAKER_00="Ann") == 1
    assert speakers(alice)["Ann"][1] > confidence, "a person has confirmed it"
    assign(alice, second, SPEAKER_00="")
    assert speakers(alice)["Ann"][1] == confidence, "what it learned there is not forgotten"

    suggested = alice.get(f"{V1}/recordings/{second}/speakers").json["suggestions"]["SPEAKER_00"]
    assert [each["name"] for each in suggested] == ["Ann"]
    assert 80 <= suggested[0]["similarity"] <= 100

    answer = alice.delete(f"{V1}/users/me/voices")
    assert (answer.status_code, answer.json) == (200, {"success": True, "deleted": 3})
    assert speakers(alice) == {"Ann": (False, None), "Tin": (False, None)}
    assert alice.get(f"{V1}/recordings/{second}/speakers").json["suggestions"] == {}


def test_names_outlive_a_second_hearing(
    alice: Person, transcribe, work, dialogue: Talk, transcriber: FakeTranscriber
) -> None:
    made = transcribe(alice, dialogue)
    assign(alice, made, SPEAKER_00="Ann", SPEAKER_01="Tin")
    before = labels(alice, made)
    assert alice.post(f"{V1}/recordings/{made}/transcribe", json={}).status_code in {200, 202}
    work()
    assert labels(alice, made) == before
    shown = alice.get(f"{V1}/recordings/{made}/speakers").json["speakers"]
    assert [(each["identified_name"], each["confirmed"]) for each in shown] == [("Ann", True), ("Tin", True)]


def test_who_wants_no_names_by_voice_gets_none(app: Flask, alice: Person, transcribe, dialogue: Talk) -> None:
    assign(alice, transcribe(alice, dialogue), SPEAKER_00="Ann")
    alice.patch(f"{V1}/users/me", json={"preferences": {"auto_speaker_labelling": False}})
    again = transcribe(alice, dialogue)
    assert set(labels(alice, again)) == {"SPEAKER_00", "SPEAKER_01"}
    assert list(alice.get(f"{V1}/recordings/{again}/speakers").json["suggestions"]) == ["SPEAKER_00"]

    answer = alice.patch(f"{V1}/users/me", json={"preferences": {"learn_voices": False}})
    assert answer.json["preferences"]["learn_voices"] is False
    assert voices_kept() == 0
    transcribe(alice, dialogue)
    assert voices_kept() == 0


@pytest.mark.on_sqlite
def test_without_diarization_there_is_one_speaker(
    app: Flask, alice: Person, transcribe, dialogue: Talk
) -> None:
    with unit_of_work():
        users.get(alice.id).preferences = {"diarize": False}
    made = transcribe(alice, dialogue, min_speakers="2", max_speakers="2")
    assert set(labels(alice, made)) == {"SPEAKER_00"}
    assert voices_kept() == 0
    assert ignored_options(alice, made) == ["max_speakers", "min_speakers"]


@pytest.mark.on_sqlite
def test_the_number_of_speakers_is_applied(alice: Person, transcribe, dialogue: Talk) -> None:
    made = transcribe(alice, dialogue, max_speakers="1", hotwords="Zaphod")
    assert set(labels(alice, made)) == {"SPEAKER_00"}
    assert ignored_options(alice, made) == ["hotwords"], "the engine cannot count, but we can"


def test_without_the_model_everything_else_works(
    alice: Person, transcribe, dialogue: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "unavailable_reason", lambda _: "It is not installed.")
    capabilities = alice.get(f"{V1}/transcription").json["capabilities"]
    assert (capabilities["diarization"], capabilities["speaker_count_control"]) == (False, False)
    with capture_logs() as logs:
        made = transcribe(alice, dialogue)
    assert set(labels(alice, made)) == {"SPEAKER_00"}
    assert "It is not installed." in [each.get("reason") for each in logs]


def test_a_worker_without_the_model_does_not_fail(
    alice: Person, transcribe, dialogue: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: object) -> None:
        raise weights.VoiceModelMissing("It is not installed.")

    monkeypatch.setattr(networks, "load", missing)
    assert set(labels(alice, transcribe(alice, dialogue))) == {"SPEAKER_00"}


@pytest.mark.on_sqlite
def test_the_server_announces_diarization(alice: Person) -> None:
    capabilities = alice.get(f"{V1}/transcription").json["capabilities"]
    assert (capabilities["diarization"], capabilities["speaker_count_control"]) == (True, True)


class DiarizingTranscriber(FakeTranscriber):
    """Labels speakers itself, separately in each chunk: the first speaker is always SPEAKER_00."""

    capabilities = replace(FakeTranscriber.capabilities, diarization=True)

    def transcribe(self, chunk: AudioChunk, hints: object, on_segment: object) -> Hypothesis:
        if self.before is not None:
            self.before(chunk)
        self.chunks.append(chunk)
        return Hypothesis(
            [Segment(span.start, span.end, "words", "SPEAKER_00") for span in chunk.spans[:1]]
            + [Segment(span.start, span.end, "more", "SPEAKER_01") for span in chunk.spans[1:]]
        )


def labels_by_speaker(person: Person, recording_id: int, talk: Talk) -> dict[str, set[str]]:
    """Return the labels that were given to each person of a talk."""
    segments = person.get(f"{V1}/recordings/{recording_id}/transcript").json["segments"]
    return {
        name: {
            segment["speaker"]
            for segment in segments
            for start, end, who in talk.turns
            if who == name and start <= (segment["start_time"] + segment["end_time"]) / 2 < end
        }
        for name in ("reader", "machine")
    }


@pytest.mark.on_sqlite
class TestWithADiarizingEngine:
    @pytest.fixture
    def transcriber(self) -> FakeTranscriber:
        return DiarizingTranscriber()

    def test_its_labels_hold_in_the_whole_recording(self, alice: Person, transcribe, dialogue: Talk) -> None:
        made = transcribe(alice, dialogue)
        said_by = labels_by_speaker(alice, made, dialogue)
        assert said_by["reader"] & said_by["machine"] == set()
        assert voices_kept() >= 2

    def test_who_speaks_into_whom_is_shown(
        self, alice: Person, transcribe, dialogue: Talk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def at_once(_: object, chunk: AudioChunk, *__: object) -> Hypothesis:
            first = chunk.spans[0]
            middle = (first.start + first.end) / 2
            return Hypothesis(
                [
                    Segment(first.start, first.end, "as I was saying", "SPEAKER_00"),
                    Segment(middle, first.end, "no, wait", "SPEAKER_01"),
                    Segment(first.end, chunk.spans[-1].end + 0.5, "thank you", "SPEAKER_01"),
                ]
            )

        monkeypatch.setattr(DiarizingTranscriber, "transcribe", at_once)
        made = transcribe(alice, dialogue)
        segments = alice.get(f"{V1}/recordings/{made}/transcript").json["segments"]
        marks = {segment["sentence"]: segment["overlap"] for segment in segments}
        assert marks == {"as I was saying": True, "no, wait": True, "thank you": False}

    class TestThatGivesUpHalfWay:
        @pytest.fixture
        def backends(self, backends: Backends) -> Backends:
            second = FakeTranscriber()
            second.name = "second"
            return replace(backends, make_fallback=lambda: second)

        def test_each_speaker_keeps_one_label_by_voice(
            self, alice: Person, transcribe, dialogue: Talk, transcriber: FakeTranscriber
        ) -> None:
            def give_up(_: AudioChunk) -> None:
                if transcriber.chunks:
                    raise ConnectorUnavailable("It was killed.")

            transcriber.before = give_up
            made = transcribe(alice, dialogue, min_speakers="2", max_speakers="2")
            assert len(transcriber.chunks) == 1
            assert db.session.get_one(Recording, made).transcription_engine == "fake, second"
            said_by = labels_by_speaker(alice, made, dialogue)
            assert said_by == {"reader": {"SPEAKER_00"}, "machine": {"SPEAKER_01"}}
            assert ignored_options(alice, made) == []


def test_nothing_of_the_vectors_stays_with_the_job(
    app: Flask, alice: Person, transcribe, monologue: Talk
) -> None:
    made = transcribe(alice, monologue)
    assert set(db.session.scalars(select(JobChunk.result))) == {None}
    (kept,) = db.session.scalars(select(RecordingVoice).where(RecordingVoice.recording_id == made))
    assert len(kept.vector) == 2 * DIMENSIONS
    assert db.session.scalars(select(RecordingSpeaker)).all() == []
    alice.delete(f"{V1}/recordings/{made}")
    assert voices_kept() == 0


@pytest.mark.on_sqlite
def test_chunks_of_a_helper_without_the_model_get_their_own_speaker(
    alice: Person, transcribe, dialogue: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, calls = networks.load, []

    def missing_once(root: object) -> object:
        calls.append(root)
        if len(calls) == 2:  # the second chunk, which the other person speaks
            raise weights.VoiceModelMissing("It is not installed.")
        return load(root)

    monkeypatch.setattr(networks, "load", missing_once)
    made = transcribe(alice, dialogue)
    assert len(calls) > 2
    said_by = labels_by_speaker(alice, made, dialogue)
    assert said_by == {"reader": {"SPEAKER_00"}, "machine": {"SPEAKER_01"}}
