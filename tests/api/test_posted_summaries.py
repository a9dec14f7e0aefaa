"""POST /api/v1/summaries: a summary of a posted text, which is erased when the job ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from speakr.connectors.language.base import SummaryRequest
from speakr.connectors.language.embedded import EmbeddedLanguageConnector
from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import ConnectorRejected
from speakr.domain.insights import Topic
from speakr.models import PostedSummary
from speakr.services.language import posted_summaries
from tests.conftest import Person
from tests.fakes import FakeWriter

PATH = "/api/v1/summaries"
TEXT = (
    "The new server costs nine thousand euros. Delivery of the server is planned for March. "
    "Bob will order the server tomorrow. The old server stays in the cellar until June."
)


def rows() -> list[PostedSummary]:
    release()
    return list(db.session.scalars(select(PostedSummary)))


@pytest.fixture
def extractive(writer: FakeWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = EmbeddedLanguageConnector()
    for name in ("summarize", "extract"):
        monkeypatch.setattr(writer, name, getattr(engine, name))
    monkeypatch.setattr(writer, "is_extractive", True)


def test_a_language_model_writes_in_the_format_and_its_tokens_count(
    alice: Person, work: Callable[[], None], writer: FakeWriter
) -> None:
    writer.found = lambda _: {"topics": [Topic("Servers", ())]}
    begun = alice.post(PATH, json={"text": TEXT, "format": "bullet_points", "max_words": 20})
    assert begun.status_code == 202, begun.json
    assert (begun.json["state"], begun.json["summary"], begun.json["topics"]) == ("queued", None, [])
    assert begun.headers["Location"] == f"{PATH}/{begun.json['id']}"
    work()
    done = alice.get(f"{PATH}/{begun.json['id']}").json
    assert (done["state"], done["progress"], done["summary"]) == ("succeeded", 100, "- 4 lines")
    assert (done["topics"], done["words"], done["engine"]) == (["Servers"], 2, "fake")
    (asked,) = writer.requests
    assert asked.lines[0].text == "The new server costs nine thousand euros."
    assert "at most 20 words" in (asked.instructions or "")
    assert "'- '" in (asked.instructions or "")
    assert alice.get("/api/v1/stats").json["tokens"]["used_this_month"] == 15
    assert [row.lines for row in rows()] == [None]  # the text is erased
    job = alice.get(f"/api/v1/jobs/{done['job_id']}").json
    assert (job["kind"], job["state"], job["recording_id"]) == ("summarize_text", "succeeded", None)
    assert done["job_id"] in [each["id"] for each in alice.get("/api/v1/jobs").json["jobs"]]


@pytest.mark.parametrize(
    ("form", "begins"), [("paragraph", "The "), ("bullet_points", "- "), ("key_points", "1. ")]
)
def test_the_built_in_engine_picks_sentences(
    alice: Person, work: Callable[[], None], extractive: None, form: str, begins: str
) -> None:
    number = alice.post(PATH, json={"text": TEXT, "format": form, "max_words": 15}).json["id"]
    work()
    done = alice.get(f"{PATH}/{number}").json
    assert done["summary"].startswith(begins) or form == "paragraph"
    assert 0 < done["words"] <= 15
    for line in done["summary"].splitlines():
        assert line.removeprefix("- ").lstrip("0123456789. ").rstrip(".")[:20] in TEXT


def test_segments_keep_their_speakers(alice: Person, work: Callable[[], None], writer: FakeWriter) -> None:
    segments = [{"text": "Hello there.", "start": 1.5, "end": 2, "speaker": "Ann"}, {"text": "Hi."}]
    alice.post(PATH, json={"transcript": segments, "text": "ignored"})
    work()
    (asked,) = writer.requests
    assert [(line.speaker, line.text, line.start, line.end) for line in asked.lines] == [
        ("Ann", "Hello there.", 1.5, 2.0),
        ("", "Hi.", 0.0, None),
    ]


def test_others_do_not_see_it(alice: Person, bob: Person) -> None:
    number = alice.post(PATH, json={"text": TEXT}).json["id"]
    assert bob.get(f"{PATH}/{number}").status_code == 404
    assert bob.get(f"/api/v1/jobs/{number}").status_code == 404


def test_a_failure_erases_the_text_and_says_why(
    alice: Person, work: Callable[[], None], writer: FakeWriter
) -> None:
    def reject(_: SummaryRequest) -> None:
        raise ConnectorRejected("The provider refuses.")

    writer.before = reject
    number = alice.post(PATH, json={"text": TEXT}).json["id"]
    work()
    failed = alice.get(f"{PATH}/{number}").json
    assert (failed["state"], failed["error_message"], failed["summary"]) == (
        "failed", "The provider refuses.", None,
    )  # fmt: skip
    assert [row.lines for row in rows()] == [None]
    again = alice.post(f"/api/v1/jobs/{number}/retry")
    assert (again.status_code, again.json["code"]) == (409, "job_not_repeatable")


def test_a_cancelled_one_is_not_written(alice: Person, work: Callable[[], None], writer: FakeWriter) -> None:
    number = alice.post(PATH, json={"text": TEXT}).json["id"]
    assert alice.post(f"/api/v1/jobs/{number}/cancel").status_code == 200
    work()
    assert alice.get(f"{PATH}/{number}").json["state"] == "cancelled"
    assert writer.requests == []
    assert [row.lines for row in rows()] == [None]


def test_it_expires_unless_its_job_is_active(alice: Person, work: Callable[[], None]) -> None:
    done = alice.post(PATH, json={"text": TEXT}).json["id"]
    work()
    waiting = alice.post(PATH, json={"text": TEXT}).json["id"]
    with unit_of_work() as session:
        session.execute(update(PostedSummary).values(created_at=now() - timedelta(hours=25)))
    with unit_of_work():
        posted_summaries.forget_old()
    assert alice.get(f"{PATH}/{done}").status_code == 404
    assert alice.get(f"{PATH}/{waiting}").json["state"] == "queued"


def test_a_spent_budget_refuses_it(alice: Person) -> None:
    with unit_of_work() as session:
        from speakr.models import User

        session.execute(update(User).where(User.id == alice.id).values(token_budget=0))
    answer = alice.post(PATH, json={"text": TEXT})
    assert (answer.status_code, answer.json["code"]) == (403, "token_budget_exceeded")
    assert rows() == []


def test_the_number_that_waits_is_bounded(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posted_summaries, "MAX_ACTIVE", 2)
    answers = [alice.post(PATH, json={"text": TEXT}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 409]
    assert answers[-1].json["code"] == "too_many_summaries"


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "no_text"),
        ({"text": " ... \n"}, "no_text"),
        ({"transcript": []}, "no_text"),
        ({"text": TEXT, "format": "poem"}, "invalid"),
        ({"text": TEXT, "max_words": 5}, "invalid"),
        ({"text": TEXT, "max_words": "20"}, "invalid"),
        ({"text": 7}, "invalid"),
        ({"transcript": [{"start": 1}]}, "invalid"),
        ({"transcript": [{"text": "a", "start": "now"}]}, "invalid"),
    ],
)
def test_what_is_no_text_to_summarise_is_refused(alice: Person, body: dict[str, Any], code: str) -> None:
    answer = alice.post(PATH, json=body)
    assert (answer.status_code, answer.json["code"]) == (400, code)
