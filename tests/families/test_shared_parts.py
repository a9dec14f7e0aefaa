"""What families share: numbers in text, order of lists, durations, and the format of errors by field."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from speakr.domain.errors import Invalid, NotFound
from speakr.domain.search import beginnings_of
from speakr.services.search.numbered_pages import Sort, order_of
from speakr.web.audio_form import title_of
from speakr.web.failures import Failure
from speakr.web.field_errors import FieldErrors
from speakr.web.numbers import parts_of, tag_ids_in, whole_number
from speakr.web.pages import page_number
from speakr.web.wire import clock

pytestmark = pytest.mark.on_sqlite

NEWEST = Sort("created_at", descending=True)
COLUMNS = {"title": "title", "duration": "audio_duration"}
ERRORS = FieldErrors(
    file_field="file", fields={"full": "storage"}, statuses={"full": 413}, messages={"odd": "In other words."}
)


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("007", 7), ("", 0), ("-1", 0), ("1.5", 0), ("\u0663", 0), ("9" * 10, 0)]
)
def test_whole_numbers_have_up_to_nine_ascii_digits(text: str, number: int) -> None:
    assert whole_number(text) == number


def test_ids_may_be_repeated_and_comma_separated() -> None:
    assert parts_of(["1, 2", "", "3,,"]) == ["1", "2", "3"]
    assert tag_ids_in(["1, 2", "3"], field="tag_ids") == [1, 2, 3]
    with pytest.raises(Invalid) as caught:
        tag_ids_in(["1,x"], field="labels")
    assert list(caught.value.errors) == ["labels"]


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1000001"])
def test_pages_that_cannot_exist_are_not_found(text: str) -> None:
    assert page_number("1000000") == 1_000_000
    with pytest.raises(NotFound):
        page_number(text)


def test_orders_have_several_keys_and_ignore_unknown_names() -> None:
    assert order_of("title, -duration,nonsense", COLUMNS, otherwise=NEWEST) == [
        Sort("title"),
        Sort("audio_duration", descending=True),
    ]
    assert order_of("nonsense", COLUMNS, otherwise=NEWEST) == [NEWEST]
    assert order_of("", COLUMNS, otherwise=NEWEST) == [NEWEST]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, None),
        (0, "00:00:00"),
        (330, "00:05:30"),
        (3661.25, "01:01:01.250000"),
        (59.9999999, "00:01:00"),
    ],
)
def test_durations_are_hours_minutes_and_seconds(seconds: float | None, shown: str | None) -> None:
    assert clock(seconds) == shown


def test_words_to_find_are_beginnings_without_operators() -> None:
    assert beginnings_of(' "" « ') is None
    assert beginnings_of('"meet" -notes') == beginnings_of("meet notes")


def test_titles_are_bounded_and_cut() -> None:
    assert title_of("  ", 255) is None
    assert title_of("t" * 255, 255) == "t" * 200
    with pytest.raises(Invalid):
        title_of("t" * 256, 255)


@pytest.mark.parametrize(
    ("failure", "status", "errors"),
    [
        (Failure(status=507, code="full", message="m"), 413, {"storage": ["m"]}),
        (Failure(status=409, code="taken", message="m"), 400, {"non_field_errors": ["m"]}),
        (Failure(status=413, code="large", message="m", extra={"max_size_mb": 1}), 413, {"file": ["m"]}),
        (
            Failure(status=400, code="invalid", message="m", errors={"body": ["b"]}),
            400,
            {"non_field_errors": ["b"]},
        ),
        (Failure(status=400, code="invalid", message="m", errors={"name": ["n"]}), 400, {"name": ["n"]}),
        (Failure(status=400, code="odd", message="m"), 400, {"non_field_errors": ["In other words."]}),
    ],
    ids=["status of a code", "conflict", "large file", "body", "field", "message of a code"],
)
def test_failures_are_written_by_field(
    plain_app: Flask, failure: Failure, status: int, errors: dict[str, Any]
) -> None:
    with plain_app.app_context():
        answer = ERRORS.render(failure)
    assert (answer.status_code, answer.get_json()["errors"]) == (status, errors)
    assert answer.get_json()["success"] is False


def test_clients_find_the_reason_of_refusals_as_detail(plain_app: Flask) -> None:
    with plain_app.app_context():
        answer = ERRORS.render(Failure(status=404, code="not_found", message="m"))
    assert answer.get_json()["detail"] == "m"
