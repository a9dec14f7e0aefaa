"""A job engine in one process: fakes for the slow parts, real database and storage."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from speakr.domain.jobs import KINDS
from speakr.domain.transcript import Span
from speakr.jobs import runner, transcribe
from tests.conftest import Person
from tests.fakes import FakeTranscriber, MemoryJobNotifier


@pytest.fixture
def speech(monkeypatch: pytest.MonkeyPatch) -> list[Span]:
    """The speech that is found in whatever is uploaded; a test may change it."""
    spans = [Span(float(second), second + 0.9) for second in range(0, 20, 2)]
    monkeypatch.setattr(
        transcribe, "find_speech", lambda pcm: [s for s in spans if s.end * 32_000 <= pcm.stat().st_size]
    )
    return spans


@pytest.fixture
def second() -> FakeTranscriber:
    """Another engine; a module that uses it makes it the fallback."""
    fake = FakeTranscriber()
    fake.name = "second"
    return fake


@pytest.fixture
def work(app: Flask, notifier: MemoryJobNotifier) -> Callable[[], int]:
    """Answer every notification, including those that answering causes; return how many there were."""

    def answer_all() -> int:
        answered = 0
        while notifier.notifications:
            kind, job_id, _ = notifier.notifications.pop(0)
            assert kind in KINDS
            runner.run(job_id)
            answered += 1
        return answered

    return answer_all


@pytest.fixture
def recorded(alice: Person, upload, speech) -> int:
    """The id of a freshly uploaded recording of 20 seconds."""
    from tests.conftest import wav

    answer = upload(alice, wav(20.0))
    assert answer.status_code == 202, answer.json
    return int(answer.json["id"])
