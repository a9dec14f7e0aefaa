"""Programs that are pointed at an OpenAI-compatible speech server: the requests that they send, on the wire."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import openai
import pytest
import requests

from tests.compat.openai.test_clients import PATH, SHORT, Live
from tests.intake.server import ALICE, TIMEOUT_SECONDS, IntakeServer

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

OBSIDIAN = "app://obsidian.md"
BOUNDARY = "----WebKitFormBoundaryq4fWcZ2uT7bLkR1s"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with IntakeServer(tmp_path_factory.mktemp("programs")) as server:
        found = Live(server)
        yield found
        found.close()


@pytest.fixture(scope="module")
def webm() -> bytes:
    return encoded("webm", "libopus", 48_000)


def encoded(container: str, codec: str, rate: int) -> bytes:
    """Return the speech of `SHORT` as another program would have recorded it."""
    made = io.BytesIO()
    with av.open(str(SHORT)) as source, av.open(made, "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=rate, frame_size=stream.codec_context.frame_size or None
        )
        frames = [each for frame in source.decode(audio=0) for each in resampler.resample(frame)]
        for frame in [*frames, *resampler.resample(None)]:
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return made.getvalue()


def browser_form(file: tuple[str, str, bytes], fields: Sequence[tuple[str, str]]) -> bytes:
    """Return a form as a browser writes it: the file first, fields without a type."""
    name, content_type, data = file
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n".encode()
        + data
        + b"\r\n",
        *(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in fields
        ),
        f"--{BOUNDARY}--\r\n".encode(),
    ]
    return b"".join(parts)


def assert_transcribed(answer: requests.Response) -> None:
    assert answer.status_code == 200, answer.text
    assert "forward" in answer.json()["text"].lower()


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "whisper-1"},
        {"model": "whisper-1", "language": "en"},
        {
            "model": "whisper-1",
            "language": "en",
            "response_format": "verbose_json",
            "timestamp_granularities[]": "segment",
        },
    ],
    ids=["plain", "language", "segments"],
)
def test_open_webui(live: Live, fields: dict[str, str]) -> None:
    """Its server sends an MP3 without a content type with the fields first, and headers about its user."""
    answer = live.server.request(
        "POST",
        PATH,
        headers={
            "Accept": "*/*",
            "X-OpenWebUI-User-Name": "Jane",
            "X-OpenWebUI-User-Id": "4f1d",
            "X-OpenWebUI-User-Email": "jane@example.com",
            "X-OpenWebUI-User-Role": "user",
        },
        files={"file": ("7c0e_compressed.mp3", encoded("mp3", "libmp3lame", 16_000))},
        data=fields,
    )
    assert_transcribed(answer)


def test_open_webui_shows_the_message_of_a_failure(live: Live) -> None:
    answer = live.server.request(
        "POST", PATH, files={"file": ("a.mp3", b"no sound")}, data={"model": "gpt-9"}
    )
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "The model 'gpt-9' does not exist."


@pytest.mark.parametrize("language", ["en", "en-US"])
def test_home_assistant_through_the_official_client(live: Live, tmp_path: Path, language: str) -> None:
    """Add-ons write what a microphone sent into a WAV file and set every option, some of them empty."""
    file = tmp_path / "tmpk3v9.wav"
    file.write_bytes(encoded("wav", "pcm_s16le", 16_000))
    with file.open("rb") as audio:
        answer = live.client().audio.transcriptions.create(
            file=audio, model="whisper-1", language=language, temperature=0, prompt=""
        )
    assert "forward" in answer.text.lower()


def test_home_assistant_with_a_form_of_its_own(live: Live) -> None:
    answer = live.server.request(
        "POST",
        PATH,
        files={"file": ("audio.wav", encoded("wav", "pcm_s16le", 16_000), "audio/wav")},
        data={
            "model": "gpt-4o-mini-transcribe",
            "language": "en",
            "temperature": "0.0",
            "prompt": "",
            "response_format": "json",
        },
    )
    assert_transcribed(answer)


def test_home_assistant_checks_a_key_by_listing_models(live: Live) -> None:
    assert "whisper-1" in [model.id for model in live.client().models.list()]
    with pytest.raises(openai.AuthenticationError):
        live.client(key="wrong").models.list()


@pytest.mark.parametrize("language", ["en", "", "auto"])
def test_obsidian_whisper(live: Live, webm: bytes, language: str) -> None:
    """The plugin sends what a browser recorded, the file first, from a page of another origin."""
    url = f"http://127.0.0.1:{live.server.port}{PATH}"
    with requests.Session() as session:
        session.trust_env = False
        allowed = session.options(
            url,
            headers={
                "Origin": OBSIDIAN,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization",
            },
            timeout=TIMEOUT_SECONDS,
        )
        answer = session.post(
            url,
            data=browser_form(
                ("2026-11-30T09-00-00.000Z.webm", "audio/webm;codecs=opus", webm),
                [("model", "whisper-1"), ("language", language), ("prompt", "Notes about a robot.")],
            ),
            headers={
                "Authorization": f"Bearer {ALICE}",
                "Origin": OBSIDIAN,
                "Accept": "application/json, text/plain, */*",
                "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            },
            timeout=TIMEOUT_SECONDS,
        )
    assert allowed.status_code == 204
    assert "POST" in allowed.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Access-Control-Allow-Origin"] == OBSIDIAN
    assert_transcribed(answer)


def test_pages_of_other_origins_may_not_call(live: Live) -> None:
    answer = live.server.request("GET", "/v1/models", headers={"Origin": "https://example.com"})
    assert "Access-Control-Allow-Origin" not in answer.headers
