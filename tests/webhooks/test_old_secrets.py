"""After a rotation the old secret signs for a day, and is then erased from its row."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speakr.db import unit_of_work
from speakr.domain.clock import now
from speakr.domain.permissions import Actor
from speakr.models import Webhook
from speakr.services.system import maintenance
from speakr.services.webhooks import webhooks
from tests.webhooks.conftest import AddWebhook
from tests.webhooks.states import webhook


def test_an_old_secret_is_erased_after_the_overlap(
    add_webhook: AddWebhook, owner: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = add_webhook("https://receiver.example/hook")
    with unit_of_work():
        webhooks.rotate_secret(owner, hook)
    present = webhook(hook).secret_sealed
    monkeypatch.setattr(maintenance, "_last_rare", -maintenance._RARE_INTERVAL_SECONDS)
    maintenance.run_maintenance()
    assert webhook(hook).previous_secret_sealed is not None
    with unit_of_work() as session:
        session.get_one(Webhook, hook).previous_secret_until = now() - timedelta(seconds=1)
    monkeypatch.setattr(maintenance, "_last_rare", -maintenance._RARE_INTERVAL_SECONDS)
    maintenance.run_maintenance()
    row = webhook(hook)
    assert (row.previous_secret_sealed, row.previous_secret_until) == (None, None)
    assert row.secret_sealed == present
