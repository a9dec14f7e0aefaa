"""Calling off a delivery that has ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speakr.settings import Settings
from tests.conftest import Person


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, webhook_allowed_hosts="127.0.0.1/32")


def test_what_has_ended_cannot_be_called_off(alice: Person) -> None:
    hook = {
        "name": "n8n",
        "url": "http://127.0.0.1:9000/",
        "allow_http": True,
        "events": ["recording.deleted"],
    }
    webhook = alice.post("/api/v1/webhooks", json=hook).json["id"]
    delivery = alice.post(f"/api/v1/webhooks/{webhook}/test").json["id"]
    cancel = f"/api/v1/webhooks/{webhook}/deliveries/{delivery}/cancel"
    assert alice.post(cancel).json["status"] == "permanent_failure"
    refused = alice.post(cancel)
    assert refused.status_code == 409
    assert refused.json["code"] == "delivery_ended"
    assert refused.json["delivery_status"] == "permanent_failure"
