"""The engine's own process is killed during a transcription, with a second engine configured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import speech
from tests.crash.conftest import WORKER
from tests.crash.deployment import WORKERS, Deployment, wait_for
from tests.crash.provider import Provider
from tests.crash.provider_process import ProviderProcess
from tests.servers import redis_server

pytestmark = pytest.mark.stack

CHUNKS = (
    "SELECT job_chunks.state, job_chunks.claim_count FROM job_chunks JOIN jobs ON jobs.id = job_chunks.job_id "
    "WHERE jobs.recording_id = :id ORDER BY job_chunks.position"
)


@pytest.fixture
def first() -> Iterator[ProviderProcess]:
    with ProviderProcess() as server:
        yield server


@pytest.fixture
def second() -> Iterator[Provider]:
    with Provider(delay_seconds=0.05) as server:
        yield server


@pytest.fixture
def deployment(tmp_path: Path, first: ProviderProcess, second: Provider) -> Iterator[Deployment]:
    settings = {
        "TRANSCRIPTION_BASE_URL": first.url,
        "SPEAKR_TRANSCRIPTION_FALLBACK": "openai",
        "SPEAKR_TRANSCRIPTION_FALLBACK_BASE_URL": second.url,
        "SPEAKR_TRANSCRIPTION_FALLBACK_MODEL": "second",
    }
    with redis_server() as redis:
        made = Deployment(
            tmp_path, f"sqlite:///{tmp_path / 'speakr.db'}", redis, worker=WORKER, settings=settings
        )
        try:
            made.open()
            yield made
        finally:
            made.close()


def test_a_killed_engine_is_replaced_and_nothing_finished_is_sent_again(
    deployment: Deployment, first: ProviderProcess, second: Provider
) -> None:
    recording = deployment.upload(speech.long_recording())
    count = len(wait_for(lambda: deployment.rows(CHUNKS, id=recording), "cut into chunks"))
    assert count >= 6
    first.answer(count // 2)

    def states() -> Counter[str]:
        return Counter(row.state for row in deployment.rows(CHUNKS, id=recording))

    def is_half_done() -> bool:
        return states()["done"] == count // 2 and len(first.asked().open) == len(WORKERS)

    wait_for(is_half_done, "half of the chunks done and every worker waiting for the next")
    seen = first.asked()
    first.kill()
    deployment.wait_until_done(recording, seconds=20)

    sent = second.counts()
    assert set(sent.values()) == {1}, "a chunk was sent to the second engine twice"
    assert not sent.keys() & set(seen.answered), "a finished chunk was sent again"
    assert sent.keys() >= set(seen.open), "what was under way is lost"
    assert len(seen.answered) == len(set(seen.answered)) == count // 2
    assert len(sent) == count - count // 2
    assert [tuple(row) for row in deployment.rows(CHUNKS, id=recording)] == [("done", 1)] * count

    said = [segment["sentence"] for segment in json.loads(deployment.transcript(recording))["segments"]]
    text = "".join(said).lower()
    assert all(text.count(f"w{digest[:6]}") == 1 for digest in [*seen.answered, *sent])
    assert deployment.rows("SELECT transcription_engine FROM recordings")[0].transcription_engine == (
        "openai:whisper-1, openai:second"
    )
