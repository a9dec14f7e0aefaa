"""Whisper on this machine, with a real if tiny model; and a hub that behaves, fails, or never says a word."""

from __future__ import annotations

import hashlib
import http.server
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from speakr.connectors.transcription import describe
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, ChunkContext
from speakr.connectors.transcription.whisper import WhisperConnector
from speakr.connectors.transcription.whisper_download import Hub
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable, JobCancelled
from speakr.domain.transcript import Hints, Segment, Span
from speakr.settings import Settings
from tests.connectors.tiny_whisper import SENTENCE, TINY_BEAM

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
START = 100.0


def noise(seconds: float = 4.0, context: ChunkContext | None = None) -> AudioChunk:
    samples = np.random.default_rng(3).integers(-900, 900, round(seconds * SAMPLE_RATE)).astype(np.int16)
    return AudioChunk(samples, START, (Span(START, START + seconds),), context or ChunkContext())


def recognize(connector: WhisperConnector, hints: Hints | None = None, context: ChunkContext | None = None):
    streamed: list[Segment] = []
    hypothesis = connector.transcribe(noise(context=context), hints or Hints(), streamed.append)
    assert streamed == list(hypothesis.segments)
    return hypothesis


def test_the_real_decoder_returns_words_with_times(whisper_models: Path):
    hypothesis = recognize(WhisperConnector(whisper_models, models=["parrot"], beam_size=TINY_BEAM))
    (segment,) = hypothesis.segments
    assert segment.text == SENTENCE
    assert [word.text for word in segment.words] == SENTENCE.split()
    assert START <= segment.start <= segment.words[0].end <= segment.end <= START + 4.0
    assert hypothesis.language == "en"
    assert segment.confidence is not None
    assert segment.confidence > 0.9


def test_hints_reach_the_decoder(whisper_models: Path, monkeypatch: pytest.MonkeyPatch):
    connector = WhisperConnector(whisper_models, models=["parrot"], beam_size=TINY_BEAM)
    recognize(connector)
    model = connector._loaded[1]._model
    asked: dict[str, object] = {}
    transcribe = model.transcribe

    def listen(samples: object, **options: object):
        asked.update(options)
        return transcribe(samples, **options)

    monkeypatch.setattr(model, "transcribe", listen)
    hypothesis = recognize(connector, Hints(language="de-AT", hotwords="Zaphod", initial_prompt="A talk."))
    assert (asked["language"], asked["hotwords"], asked["initial_prompt"]) == ("de", "Zaphod", "A talk.")
    assert hypothesis.language == "de"
    assert (
        recognize(connector, Hints(language="klingon")).language == "en"
    )  # unknown language: it is detected


def test_a_model_may_be_chosen_per_request_and_one_is_in_memory(whisper_models: Path):
    connector = WhisperConnector(whisper_models, models=["parrot", "second"], beam_size=TINY_BEAM)
    (whisper_models / "second").symlink_to(whisper_models / "parrot")
    recognize(connector)
    recognize(connector, Hints(model="second"))
    assert connector._loaded[0] == "second"
    (whisper_models / "second").unlink()


def test_cancelling_takes_effect_between_segments(whisper_models: Path):
    class Cancelled(ChunkContext):
        def heartbeat(self) -> None:
            raise JobCancelled("The user asked to stop.")

    with pytest.raises(JobCancelled):
        recognize(
            WhisperConnector(whisper_models, models=["parrot"], beam_size=TINY_BEAM), context=Cancelled()
        )


@pytest.mark.parametrize("lost", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
def test_an_incomplete_folder_is_reported_at_once(whisper_models: Path, tmp_path: Path, lost: str):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in (whisper_models / "parrot").iterdir():
        if file.name != lost:
            (broken / file.name).symlink_to(file)
    with pytest.raises(ConnectorRejected, match=lost.partition(".")[0]):
        recognize(WhisperConnector(tmp_path, models=["broken"]))
    with pytest.raises(ConnectorRejected, match="lacks"):  # and no request asks the hub for a path
        recognize(WhisperConnector(tmp_path, models=[str(broken)], hub=Hub("http://127.0.0.1:9", 5.0)))


def test_an_incomplete_model_is_reported(whisper_models: Path, tmp_path: Path):
    half = tmp_path / "half"
    half.mkdir()
    for file in (whisper_models / "parrot").iterdir():
        content = file.read_bytes()
        (half / file.name).write_bytes(content[: len(content) // 2] if file.name == "model.bin" else content)
    with pytest.raises(ConnectorRejected, match="cannot be loaded") as raised:
        recognize(WhisperConnector(tmp_path, models=["half"]))
    assert str(tmp_path) not in raised.value.message


def test_the_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(ConnectorRejected, match="requirements-languages"):
        recognize(WhisperConnector(tmp_path))


@pytest.mark.parametrize("name", ["../parrot", "a/b", "", ".."])
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str):
    with pytest.raises(ConnectorRejected):
        recognize(WhisperConnector(tmp_path, models=[name or "."], hub=Hub("http://127.0.0.1:9", 5.0)))


def test_models_are_listed_with_size_and_place(whisper_models: Path, settings_with: Callable[..., Settings]):
    listed = describe(
        settings_with(
            transcription_connector="whisper",
            engine_environment={"SPEAKR_WHISPER_MODELS": str(whisper_models)},
            transcription_models="parrot:Parrot,small",
        )
    ).models
    assert [(model.value, model.label, model.is_downloaded) for model in listed] == [
        ("base", "base", False),
        ("parrot", "Parrot", True),
        ("small", "small", False),
    ]
    assert listed[1].size_bytes == (whisper_models / "parrot" / "model.bin").stat().st_size
    assert listed[2].size_bytes == 484_000_000


# -- the hub


class FakeHub:
    """Gives the files of the tiny model under a published name; or errors, or silence, or other bytes."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.lies = False
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                hub.asked.append(self.path)
                file = folder / name
                if hub.status != 200 or not file.exists():
                    self.send_error(hub.status if hub.status != 200 else 404)
                    return
                content = file.read_bytes()
                self.send_response(200)
                self.send_header("X-Linked-ETag", f'"{hashlib.sha256(content).hexdigest()}"')
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(bytes(len(content)) if hub.lies else content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def hub(whisper_models: Path) -> Iterator[FakeHub]:
    fake = FakeHub(whisper_models / "parrot")
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


def test_a_model_is_fetched_once_and_whole(hub: FakeHub, tmp_path: Path):
    connector = WhisperConnector(
        tmp_path / "models", models=["tiny"], hub=Hub(hub.url, 30.0), beam_size=TINY_BEAM
    )
    assert recognize(connector).segments[0].text == SENTENCE
    assert connector.is_downloaded("tiny")
    asked = len(hub.asked)
    assert asked >= 5
    assert all(path.startswith("/Systran/faster-whisper-tiny/resolve/main/") for path in hub.asked)
    recognize(
        WhisperConnector(tmp_path / "models", models=["tiny"], hub=Hub(hub.url, 30.0), beam_size=TINY_BEAM)
    )
    assert len(hub.asked) == asked
    assert [path.name for path in (tmp_path / "models").iterdir() if path.is_dir()] == ["tiny"]


def test_a_hub_that_lies_is_not_believed(hub: FakeHub, tmp_path: Path):
    hub.lies = True
    connector = WhisperConnector(
        tmp_path / "models", models=["tiny"], hub=Hub(hub.url, 30.0), beam_size=TINY_BEAM
    )
    with pytest.raises(ConnectorUnavailable, match="not what it should be"):
        recognize(connector)
    assert not connector.is_downloaded("tiny")
    assert [path for path in (tmp_path / "models").iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(
    ("status", "error"), [(503, ConnectorUnavailable), (404, ConnectorRejected), (401, ConnectorRejected)]
)
def test_a_hub_that_refuses(hub: FakeHub, tmp_path: Path, status: int, error: type[Exception]):
    hub.status = status
    with pytest.raises(error):
        recognize(
            WhisperConnector(
                tmp_path / "models", models=["tiny"], hub=Hub(hub.url, 30.0), beam_size=TINY_BEAM
            )
        )


def test_an_unreachable_hub_or_an_unknown_model(tmp_path: Path, unused_port: int):
    nowhere = Hub(f"http://127.0.0.1:{unused_port}", 30.0)
    with pytest.raises(ConnectorUnavailable):
        recognize(WhisperConnector(tmp_path, models=["tiny"], hub=nowhere))
    with pytest.raises(ConnectorRejected, match="no Whisper model"):
        recognize(WhisperConnector(tmp_path, models=["unheard-of"], hub=nowhere))
    with pytest.raises(ConnectorRejected, match="lacks"):
        recognize(WhisperConnector(tmp_path, models=["tiny"], hub=None))


def test_a_hub_that_accepts_and_never_answers_is_left_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from speakr.connectors.transcription import whisper_download

    assert whisper_download.CONNECT_SECONDS + whisper_download.FIRST_ANSWER_SECONDS < 12.0
    assert whisper_download.FIRST_ANSWER_SECONDS <= 10.0
    monkeypatch.setattr(whisper_download, "FIRST_ANSWER_SECONDS", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(ConnectorUnavailable, match="answer"):
            recognize(
                WhisperConnector(
                    tmp_path, models=["tiny"], hub=Hub(f"http://127.0.0.1:{silent.getsockname()[1]}", 999.0)
                )
            )
        assert time.monotonic() - began < 60.0  # it is left at all
