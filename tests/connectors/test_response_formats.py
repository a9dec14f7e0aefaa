"""Servers that do not know the richest form of an answer: they are asked for less, and that is remembered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from speakr.connectors.transcription import make_connector, response_formats
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, ChunkContext, TranscriptionConnector
from speakr.connectors.transcription.response_formats import MEMORY_SECONDS
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.transcript import Hints, Hypothesis, Span
from speakr.settings import Settings
from tests.connectors.fake_provider import FakeProvider, Reply, Request, json_reply

MakeConnector = Callable[[], TranscriptionConnector]


class Memory(ChunkContext):
    """What all workers remember."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.seconds: list[float] = []

    def recall(self, name: str) -> str | None:
        return self.kept.get(name)

    def remember(self, name: str, value: str, seconds: float) -> None:
        self.kept[name] = value
        self.seconds.append(seconds)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def new_connector(provider: FakeProvider, settings_with: Callable[..., Settings]) -> MakeConnector:
    return lambda: make_connector(settings_with(transcription_base_url=provider.url))


def recognize(connector: TranscriptionConnector, memory: ChunkContext, model: str = "voxtral") -> Hypothesis:
    chunk = AudioChunk(np.ones(10 * SAMPLE_RATE, dtype=np.int16), 60.0, (Span(61, 64), Span(66, 69)), memory)
    return connector.transcribe(chunk, Hints(model=model), lambda _: None)


def form_of(request: Request) -> tuple[str, bool]:
    return request.form["response_format"][0].decode(), "timestamp_granularities[]" in request.form


def accepting(
    forms: set[str], message: str, *, status: int = 400, times: bool = True
) -> Callable[[Request], Reply]:
    """Answer like a server that knows these forms only, and times of words or not."""

    def answer(request: Request) -> Reply:
        form, has_times = form_of(request)
        if form not in forms or (has_times and not times):
            return json_reply({"object": "error", "message": message}, status)
        if form == "text":
            return Reply(200, b"Hi there. It is late.", {"Content-Type": "text/plain"})
        segments = [
            {"start": 1, "end": 4, "text": "Hi there."},
            {"start": 6, "end": 9, "text": "It is late."},
        ]
        return json_reply(
            {"text": "Hi there. It is late.", **({"segments": segments} if form != "json" else {})}
        )

    return answer


@pytest.mark.parametrize("status", [400, 415, 422])
def test_a_server_that_knows_json_only_is_asked_once_more(
    provider: FakeProvider, new_connector: MakeConnector, memory: Memory, status: int
) -> None:
    message = "Currently do not support verbose_json for voxtral"
    provider.answer = accepting({"json"}, message, status=status)
    connector = new_connector()
    hypothesis = recognize(connector, memory)
    assert [segment.text for segment in hypothesis.segments] == ["Hi there.", "It is late."]
    assert hypothesis.times_estimated
    assert all(60.0 <= word.start <= word.end <= 70.0 for each in hypothesis.segments for word in each.words)
    assert [form_of(request)[0] for request in provider.requests] == ["verbose_json", "json"]
    recognize(connector, memory)
    recognize(new_connector(), memory)  # in another process
    assert [form_of(request)[0] for request in provider.requests[2:]] == ["json", "json"]
    assert memory.seconds == [MEMORY_SECONDS]


def test_a_server_without_times_of_words_still_gives_those_of_segments(
    provider: FakeProvider, new_connector: MakeConnector, memory: Memory
) -> None:
    provider.answer = accepting(
        {"verbose_json", "json"}, "Unknown parameter: 'timestamp_granularities[]'", times=False
    )
    hypothesis = recognize(new_connector(), memory)
    assert [form_of(request) for request in provider.requests] == [
        ("verbose_json", True),
        ("verbose_json", False),
    ]
    assert [(segment.start, segment.end) for segment in hypothesis.segments] == [(61, 64), (66, 69)]
    assert hypothesis.times_estimated


def test_a_server_that_knows_text_only(
    provider: FakeProvider, new_connector: MakeConnector, memory: Memory
) -> None:
    provider.answer = accepting({"text"}, "response_format: Input should be 'text'", status=422)
    hypothesis = recognize(new_connector(), memory)
    assert [segment.text for segment in hypothesis.segments] == ["Hi there.", "It is late."]
    assert [form_of(request)[0] for request in provider.requests] == ["verbose_json", "json", "text"]


def test_the_number_of_requests_is_bounded(
    provider: FakeProvider, new_connector: MakeConnector, memory: Memory
) -> None:
    provider.answer = accepting(set(), "timestamp_granularities and response_format are wrong")
    with pytest.raises(ConnectorRejected):
        recognize(new_connector(), memory)
    assert len(provider.requests) == 4


def test_models_are_remembered_apart(
    provider: FakeProvider, new_connector: MakeConnector, memory: Memory
) -> None:
    provider.answer = accepting({"json"}, "no verbose_json")
    recognize(new_connector(), memory, "voxtral")
    provider.answer = accepting({"verbose_json"}, "no json")
    recognize(new_connector(), memory, "whisper-1")
    assert form_of(provider.requests[-1]) == ("verbose_json", True)


def test_what_is_forgotten_is_learned_again(
    provider: FakeProvider, new_connector: MakeConnector, memory: Memory
) -> None:
    provider.answer = accepting({"json"}, "no verbose_json")
    recognize(new_connector(), memory)
    memory.kept.clear()
    provider.answer = accepting({"verbose_json"}, "no json")
    assert not recognize(new_connector(), memory).times_estimated or len(provider.requests) == 3
    assert form_of(provider.requests[-1]) == ("verbose_json", True)


@pytest.mark.parametrize("kept", ["", "x", "-1", "99", "²"])
def test_a_broken_memory_does_no_harm(
    provider: FakeProvider, new_connector: MakeConnector, memory: Memory, kept: str
) -> None:
    provider.answer = accepting({"verbose_json", "json", "text"}, "")
    memory.recall = lambda _: kept  # type: ignore[method-assign]
    assert recognize(new_connector(), memory).segments


def test_other_refusals_and_passing_failures_are_not_asked_again(
    provider: FakeProvider, new_connector: MakeConnector, memory: Memory
) -> None:
    for status, error in ((400, ConnectorRejected), (404, ConnectorRejected), (503, ConnectorUnavailable)):
        message = "unknown model" if status == 400 else "verbose_json"
        provider.answers(json_reply({"message": message}, status))
        with pytest.raises(error):
            recognize(new_connector(), memory)
    assert len(provider.requests) == 3


def test_a_file_that_every_form_refuses_makes_later_answers_no_poorer(
    provider: FakeProvider, new_connector: MakeConnector, memory: Memory
) -> None:
    connector = new_connector()
    provider.answer = accepting(set(), "cannot write verbose_json or json of this file")
    with pytest.raises(ConnectorRejected):
        recognize(connector, memory)
    provider.answer = accepting({"verbose_json"}, "")
    sent = len(provider.requests)
    recognize(connector, memory)
    assert [form_of(request) for request in provider.requests[sent:]] == [("verbose_json", True)]
    assert memory.kept == {}


def test_a_process_forgets_a_refused_form_after_some_hours(
    provider: FakeProvider, new_connector: MakeConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful = ChunkContext()  # as without Redis
    connector = new_connector()
    provider.answer = accepting({"json"}, "no verbose_json")
    recognize(connector, forgetful)
    recognize(connector, forgetful)
    assert form_of(provider.requests[-2]) == form_of(provider.requests[-1]) == ("json", False)
    monkeypatch.setattr(response_formats, "MEMORY_SECONDS", 0.0)
    connector = new_connector()
    recognize(connector, forgetful)
    provider.answer = accepting({"verbose_json"}, "no json")
    recognize(connector, forgetful)
    assert form_of(provider.requests[-1]) == ("verbose_json", True)
