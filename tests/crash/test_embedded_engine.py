"""The embedded engine gives the same bytes, however often its work horses are killed."""

from __future__ import annotations

import pytest

from tests.crash import speech
from tests.crash.deployment import Deployment, wait_for
from tests.crash.short_chunk_worker import EMBEDDED

pytestmark = pytest.mark.stack

DONE = (
    "SELECT count(*) AS n FROM job_chunks JOIN jobs ON jobs.id = job_chunks.job_id "
    "WHERE jobs.recording_id = :id AND job_chunks.state = 'done'"
)


def test_transcripts_are_identical_byte_for_byte(deployment: Deployment) -> None:
    undisturbed = deployment.upload(speech.middling_recording(), transcription_model=EMBEDDED)
    deployment.wait_until_done(undisturbed)
    disturbed = deployment.upload(speech.middling_recording(), transcription_model=EMBEDDED)
    for done in (1, 2):
        wait_for(lambda: deployment.rows(DONE, id=disturbed)[0].n >= done, f"{done} chunks done")  # noqa: B023 - called at once
        deployment.kill_owner(disturbed)
    deployment.wait_until_done(disturbed)
    assert deployment.transcript(disturbed) == deployment.transcript(undisturbed)
    assert b"seven" in deployment.transcript(disturbed)
    query = (
        "SELECT sum(claim_count - 1) AS n FROM job_chunks JOIN jobs ON jobs.id = job_chunks.job_id "
        "WHERE jobs.recording_id = :id"
    )
    assert deployment.rows(query, id=disturbed)[0].n <= 2, "more than one chunk was heard again for a kill"
