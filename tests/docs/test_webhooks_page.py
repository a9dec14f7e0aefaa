"""docs/webhooks agrees with the code."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import re

import pytest

from speakr.domain.deliveries import DeliveryStatus, Verdict
from speakr.domain.events import EVENTS
from speakr.domain.signatures import speakr_signature, standard_signature
from speakr.operations import settings_pages
from speakr.settings import Settings
from speakr.webhooks.retry_schedule import JITTER, SCHEDULE_SECONDS, classify
from tests.docs.pages import EXAMPLES, blocks, read, table

OF_THE_EXAMPLES = {"SPEAKR_WEBHOOK_SECRET", "SPEAKR_WEBHOOK_FOLDER", "SPEAKR_TOKEN", "SPEAKR_URL"}
DEFAULTS = {field.name: field.default for field in dataclasses.fields(Settings)}


@pytest.fixture(scope="module")
def page() -> str:
    return read("webhooks")


def test_every_event_and_its_data(page: str) -> None:
    printed = {row[0].strip("`"): re.findall(r"`(\w+)`(\??)", row[2]) for row in table(page, "type").rows}
    declared = {
        event.type.value: [
            (field.name, "" if field.default is dataclasses.MISSING else "?")
            for field in dataclasses.fields(event)
        ]
        for event in EVENTS
    }
    assert printed == declared
    assert list(printed) == list(declared)


def test_statuses_of_deliveries(page: str) -> None:
    assert table(page, "status").codes() == [status.value for status in DeliveryStatus]


def test_the_receivers_on_the_page_are_the_files(page: str) -> None:
    code = {block.language: block.text for block in blocks(page)}
    assert code["python"] == (EXAMPLES / "webhook_receiver.py").read_text()
    assert code["js"] == (EXAMPLES / "webhook_receiver.mjs").read_text()
    assert code["bash"] == (EXAMPLES / "webhook_receiver.sh").read_text()
    assert code["javascript"] == (EXAMPLES / "webhook_check_n8n.js").read_text()


def test_the_delivery_shown_is_signed_with_the_secret_shown(page: str) -> None:
    (shown,) = [block.text for block in blocks(page) if block.text.startswith("POST /")]
    head, _, body = shown.rstrip("\n").partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    (secret,) = re.findall(r"The secret was `([^`]+)`", page)
    assert headers["Speakr-Signature"] == speakr_signature(secret, body.encode())
    assert headers["webhook-signature"] == standard_signature(
        secret,
        message_id=headers["webhook-id"],
        timestamp=int(headers["webhook-timestamp"]),
        body=body.encode(),
    )
    assert json.loads(body)["id"] == headers["Speakr-Delivery-Id"] == headers["webhook-id"]
    by_hand = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    assert f"= {by_hand}\n" in read("webhooks/signatures.md")


def test_the_secret_is_shown_in_both_forms(page: str) -> None:
    (made,) = [json.loads(block.text) for block in blocks(page) if '"secret"' in block.text]
    assert made["secret_standard"] == "whsec_" + base64.b64encode(made["secret"].encode()).decode()
    assert f"SPEAKR_WEBHOOK_SECRET={made['secret']} " in page


def test_the_schedule(page: str) -> None:
    attempts = table(page, "attempt")
    (pauses,) = attempts.rows
    assert attempts.head[1:] == (*"12345678", "9 to 12")
    units = {"s": 1, "min": 60, "h": 3600}
    printed = [
        0.0 if pause == "none" else float(pause.split()[0]) * units[pause.split()[1]] for pause in pauses[1:]
    ]
    assert [*printed, *printed[-1:] * 3] == list(SCHEDULE_SECONDS)
    assert f"Pauses vary by {JITTER:.0%} either way".replace("%", " %") in page


def test_what_answers_mean(page: str) -> None:
    meaning = dict(table(page, "your answer").rows)
    retried = next(answer for answer, then in meaning.items() if then == "tried again")
    assert {int(code) for code in re.findall(r"\b\d{3}\b", retried)} == {
        status for status in range(400, 500) if classify(status) is Verdict.RETRY
    }
    assert "5xx" in retried
    assert {classify(status) for status in range(500, 600)} == {Verdict.RETRY}
    assert meaning["2xx"] == "delivered"
    assert {classify(status) for status in range(200, 300)} == {Verdict.DELIVERED}
    assert "paused" in meaning["410"]
    assert classify(410) is Verdict.GONE
    assert "`Retry-After`" in meaning["413"]
    assert classify(413) is Verdict.GIVE_UP
    assert classify(413, retry_after_seconds=5) is Verdict.RETRY
    assert "3xx, any other 4xx" in meaning
    assert {classify(status) for status in range(300, 400)} == {Verdict.GIVE_UP}


def test_defaults(page: str) -> None:
    prose = " ".join(page.split())
    for sentence in (
        f"may have {DEFAULTS['webhook_max_per_user']} webhooks (`WEBHOOK_MAX_PER_USER`)",
        f"may take {DEFAULTS['webhook_timeout_seconds']:.0f} seconds (`WEBHOOK_DELIVERY_TIMEOUT_SECONDS`)",
        f"There are {DEFAULTS['webhook_max_attempts']} attempts unless `WEBHOOK_MAX_ATTEMPTS`",
        f"{DEFAULTS['webhook_autopause_failures']} deliveries in a row that failed for good (`WEBHOOK_AUTOPAUSE_FAILURES`)",
    ):
        assert sentence in prose


@pytest.mark.parametrize("name", ["README.md", "api", "webhooks", "troubleshooting.md", "integrations"])
def test_settings_that_are_named_exist(name: str) -> None:
    known = set(settings_pages.variables()) | OF_THE_EXAMPLES
    prefixes = "SPEAKR|WEBHOOK|TRANSCRIPTION|TEXT_MODEL|VIDEO|USERS"
    assert set(re.findall(rf"\b(?:{prefixes})_[A-Z_]+\b", read(name))) <= known
