"""A client that knows only the OpenAPI document can use the server."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import Person, wav

Module = Callable[[str], ModuleType]


@pytest.fixture
def put_up(generated: Module, client: Any) -> Callable[..., Any]:
    """Upload through the generated client."""

    def send(seconds: float = 1.0, **form: Any) -> Any:
        types, models = generated("types"), generated("models")
        file = types.File(payload=io.BytesIO(wav(seconds)), file_name="meeting.wav", mime_type="audio/wav")
        return generated("api.uploads.upload_recording").sync_detailed(
            client=client, body=models.UploadForm(file=file, **form)
        )

    return send


def test_the_generator_understands_all_but_bytes_and_streams(generated: Module, generated_in: Path) -> None:
    generated("client")
    complaints = [
        line for line in (generated_in / "said").read_text().splitlines() if line.startswith("WARNING")
    ]
    assert {line.split(" within ")[0].removeprefix("WARNING parsing ") for line in complaints} <= {
        "GET /recordings/{recording_id}/audio"
    }


def test_upload_list_detail_and_change(generated: Module, client: Any, put_up: Callable[..., Any]) -> None:
    uploaded = put_up(title="Weekly planning", notes="Ask about the budget.")
    assert uploaded.status_code == 202
    assert uploaded.parsed.title == "Weekly planning"

    listed = generated("api.recordings.list_recordings").sync(client=client, per_page=10, status="all")
    assert [item.id for item in listed.recordings] == [uploaded.parsed.id]
    assert listed.pagination.total == 1

    models = generated("models")
    changed = generated("api.recordings.update_recording").sync(
        uploaded.parsed.id,
        client=client,
        body=models.RecordingUpdateIn(title="Renamed", participants=None, is_highlighted=True),
    )
    assert changed.recording.title == "Renamed"

    detail = generated("api.recordings.get_recording").sync(uploaded.parsed.id, client=client)
    assert (detail.title, detail.notes, detail.is_highlighted) == ("Renamed", "Ask about the budget.", True)
    assert detail.created_at.tzinfo is not None
    assert detail.completed_at is None


def test_an_upload_sent_twice_with_one_key(generated: Module, client: Any) -> None:
    types, models = generated("types"), generated("models")
    upload = generated("api.uploads.upload_recording")
    ids = [
        upload.sync(
            client=client,
            idempotency_key="once",
            body=models.UploadForm(file=types.File(payload=io.BytesIO(wav()), file_name="a.wav")),
        ).id
        for _ in range(2)
    ]
    assert ids[0] == ids[1]


def test_a_change_to_an_old_version_is_refused(
    generated: Module, client: Any, put_up: Callable[..., Any]
) -> None:
    recording_id = put_up().parsed.id
    read = generated("api.recordings.get_recording").sync_detailed(recording_id, client=client)
    update, models = generated("api.recordings.update_recording"), generated("models")
    answers = [
        update.sync_detailed(
            recording_id,
            client=client,
            body=models.RecordingUpdateIn(title=title),
            if_match=read.headers["ETag"],
        ).status_code
        for title in ("First", "Second")
    ]
    assert answers == [200, 412]


def test_tags_are_made_listed_and_put_on(generated: Module, client: Any, put_up: Callable[..., Any]) -> None:
    models = generated("models")
    tag = generated("api.tags.create_tag").sync(
        client=client, body=models.TagIn(name="Interviews", color="#10B981")
    )
    assert [one.id for one in generated("api.tags.list_tags").sync(client=client).tags] == [tag.id]
    recording_id = put_up().parsed.id
    added = generated("api.tags.add_tags").sync(
        recording_id, client=client, body=models.TagsAddIn(tag_ids=[tag.id])
    )
    assert [one.name for one in added.added_tags] == ["Interviews"]


def test_failures_have_the_described_shape(generated: Module, client: Any) -> None:
    models = generated("models")
    missing = generated("api.recordings.get_recording").sync_detailed(2_000_000_000, client=client)
    assert missing.status_code == 404
    assert missing.parsed.code == "not_found"
    wrong = generated("api.tags.create_tag").sync(client=client, body=models.TagIn(name="x", color="green"))
    assert isinstance(wrong, models.ErrorOut)
    assert list(wrong.errors.additional_properties) == ["color"]


def test_what_is_finished_reads_as_described(
    generated: Module, client: Any, put_up: Callable[..., Any], work: Callable[[], None], alice: Person
) -> None:
    recording_id = put_up(2.0).parsed.id
    work()
    status = generated("api.recordings.get_recording_status").sync(recording_id, client=client)
    assert status.status == "COMPLETED"
    transcript = generated("api.transcripts.get_transcript").sync(recording_id, client=client, words="true")
    assert transcript.segments[0].words[0].word == "heard"
    stats = generated("api.users.get_stats").sync(client=client)
    assert stats.recordings.completed == 1
    jobs = generated("api.jobs.list_jobs").sync(client=client, recording_id=recording_id)
    assert {job.state for job in jobs.jobs} <= {"succeeded", "queued", "running"}
