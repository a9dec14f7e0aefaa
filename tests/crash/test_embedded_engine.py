"""The engine that is always there gives the same bytes, however often its horses are killed."""

from __future__ import annotations

import os
import signal

import pytest

from tests.crash import speech
from tests.crash.hasty_worker import EMBEDDED
from tests.crash.house import House, wait_for

pytestmark = pytest.mark.stack

DONE = (
    "SELECT count(*) AS n FROM job_chunks JOIN jobs ON jobs.id = job_chunks.job_id "
    "WHERE jobs.recording_id = :id AND job_chunks.state = 'done'"
)


def test_transcripts_are_identical_byte_for_byte(house: House) -> None:
    undisturbed = house.upload(speech.middling_recording(), transcription_model=EMBEDDED)
    house.wait_until_done(undisturbed)
    disturbed = house.upload(speech.middling_recording(), transcription_model=EMBEDDED)
    for done in (1, 2):
        wait_for(lambda: house.rows(DONE, id=disturbed)[0].n >= done, f"{done} chunks done")  # noqa: B023 - called at once
        os.kill(house.horses()[house.owner_of(disturbed)], signal.SIGKILL)
    house.wait_until_done(disturbed)
    assert house.transcript(disturbed) == house.transcript(undisturbed)
    assert b"seven" in house.transcript(disturbed)
    query = (
        "SELECT sum(claim_count - 1) AS n FROM job_chunks JOIN jobs ON jobs.id = job_chunks.job_id "
        "WHERE jobs.recording_id = :id"
    )
    assert house.rows(query, id=disturbed)[0].n <= 2, "more than one chunk was heard again for a kill"
