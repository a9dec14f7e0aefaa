"""The engine's own process is killed while it hears a recording, and a second one is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import speech
from tests.crash.conftest import WORKER
from tests.crash.house import WORKERS, House, wait_for
from tests.crash.mortal_provider import MortalProvider
from tests.crash.provider import Provider
from tests.servers import redis_server

pytestmark = pytest.mark.stack

CHUNKS = (
    "SELECT job_chunks.state, job_chunks.claim_count FROM job_chunks JOIN jobs ON jobs.id = job_chunks.job_id "
    "WHERE jobs.recording_id = :id ORDER BY job_chunks.position"
)


@pytest.fixture
def first() -> Iterator[MortalProvider]:
    with MortalProvider() as server:
        yield server


@pytest.fixture
def second() -> Iterator[Provider]:
    with Provider(delay_seconds=0.05) as server:
        yield server


@pytest.fixture
def house(tmp_path: Path, first: MortalProvider, second: Provider) -> Iterator[House]:
    settings = {
        "TRANSCRIPTION_BASE_URL": first.url,
        "SPEAKR_TRANSCRIPTION_FALLBACK": "openai",
        "SPEAKR_TRANSCRIPTION_FALLBACK_BASE_URL": second.url,
        "SPEAKR_TRANSCRIPTION_FALLBACK_MODEL": "second",
    }
    with redis_server() as redis:
        made = House(tmp_path, f"sqlite:///{tmp_path / 'speakr.db'}", redis, worker=WORKER, settings=settings)
        try:
            made.open()
            yield made
        finally:
            made.close()


def test_a_killed_engine_is_replaced_and_nothing_finished_is_sent_again(
    house: House, first: MortalProvider, second: Provider
) -> None:
    recording = house.upload(speech.long_recording())
    count = len(wait_for(lambda: house.rows(CHUNKS, id=recording), "cut into chunks"))
    assert count >= 6
    first.answer(count // 2)

    def states() -> Counter[str]:
        return Counter(row.state for row in house.rows(CHUNKS, id=recording))

    def is_half_done() -> bool:
        return states()["done"] == count // 2 and len(first.asked().open) == len(WORKERS)

    wait_for(is_half_done, "half of the chunks done and every worker waiting for the next")
    told = first.asked()
    first.kill()
    house.wait_until_done(recording, seconds=20)

    sent = second.counts()
    assert set(sent.values()) == {1}, "a chunk was sent to the second engine twice"
    assert not sent.keys() & set(told.answered), "a finished chunk was sent again"
    assert sent.keys() >= set(told.open), "what was under way is lost"
    assert len(told.answered) == len(set(told.answered)) == count // 2
    assert len(sent) == count - count // 2
    assert [tuple(row) for row in house.rows(CHUNKS, id=recording)] == [("done", 1)] * count

    said = [segment["sentence"] for segment in json.loads(house.transcript(recording))["segments"]]
    heard = "".join(said).lower()
    assert all(heard.count(f"w{digest[:6]}") == 1 for digest in [*told.answered, *sent])
    assert house.rows("SELECT transcription_engine FROM recordings")[0].transcription_engine == (
        "openai:whisper-1, openai:second"
    )
