"""The first start, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from speakr.db import unit_of_work
from speakr.domain.errors import NotAuthenticated
from speakr.domain.permissions import ALL_SCOPES
from speakr.operations.errors import OperatorError
from speakr.operations.preparation import ADMIN, prepare
from speakr.operations.sample import RUN_NAME
from speakr.services.accounts import tokens, users
from speakr.services.system import stats
from speakr.services.webhooks import webhooks
from speakr.settings import Settings

TOKEN = "a-token-for-tests-that-is-long-enough-to-be-taken"


def test_presets_are_used_and_not_printed(app: Flask, settings: Settings) -> None:
    preset = replace(settings, admin_password="a password", bootstrap_token=TOKEN)
    prepared = prepare(preset, wants_sample=True)
    assert prepared.is_first_start
    assert (prepared.new_password, prepared.new_token) == (None, None)
    assert prepared.sample_token == TOKEN
    assert prepared.sample_token_id is None
    assert users.authenticate(ADMIN, "a password").is_admin
    assert tokens.authenticate(TOKEN).scopes == ALL_SCOPES


@pytest.mark.parametrize("token", ["x" * 31, "with a line\nbreak" * 3, "ümlaut" * 8])
def test_a_token_that_will_not_do_leaves_nothing_behind(app: Flask, settings: Settings, token: str) -> None:
    with pytest.raises(OperatorError, match="SPEAKR_BOOTSTRAP_TOKEN needs"):
        prepare(replace(settings, bootstrap_token=token), wants_sample=False)
    assert users.count() == 0


def test_there_is_no_second_first_start(app: Flask, settings: Settings) -> None:
    prepare(settings, wants_sample=False)
    again = prepare(replace(settings, bootstrap_token=TOKEN), wants_sample=False)
    assert (again.is_first_start, again.new_password, again.new_token) == (False, None, None)
    with pytest.raises(NotAuthenticated):
        tokens.authenticate(TOKEN)


def test_an_empty_library_gets_a_token_for_a_day(app: Flask, settings: Settings) -> None:
    prepare(settings, wants_sample=False)
    prepared = prepare(settings, wants_sample=True)
    assert prepared.sample_token is not None
    actor = tokens.authenticate(prepared.sample_token)
    assert actor.token_id == prepared.sample_token_id
    newest = tokens.list_page(actor).items[0]
    assert newest.name == RUN_NAME
    assert newest.expires_at is not None


def test_a_library_with_something_in_it_gets_no_sample_and_is_tidied(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(settings, wants_sample=True)
    assert first.sample_token is not None
    actor = tokens.authenticate(first.sample_token)
    with unit_of_work():  # a sample run was killed
        webhooks.create(actor, name=RUN_NAME, url="http://127.0.0.1:1/", events=["webhook.test"])
        webhooks.create(actor, name="mine", url="https://example.com/", events=["webhook.test"])
    monkeypatch.setattr(stats, "for_everybody", lambda _actor: {"recordings": {"total": 1}})
    assert prepare(settings, wants_sample=True).sample_token is None
    assert [webhook.name for webhook in webhooks.list_page(actor).items] == ["mine"]


def test_without_the_admin_no_sample_is_created(app: Flask, settings: Settings) -> None:
    with unit_of_work():
        users.create(username="ann")
    assert prepare(settings, wants_sample=True).sample_token is None
