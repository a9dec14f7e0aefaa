"""Before the first request: migrate the tables, make a first user and a first token.

It runs in a short-lived process, to free its memory. It answers with a `Prepared` in JSON.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from speakr.backends import get_backends
from speakr.connectors.transcription import choose
from speakr.db import release, unit_of_work
from speakr.domain.errors import Invalid
from speakr.domain.permissions import ALL_SCOPES, Actor
from speakr.operations.errors import OperatorError
from speakr.operations.sample import RUN_NAME
from speakr.services.accounts import tokens, users
from speakr.services.system import stats
from speakr.services.webhooks import webhooks
from speakr.settings import Settings

ADMIN = "admin"

_MIN_TOKEN_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The report to the supervisor; it has secrets only if they were generated now."""

    is_first_start: bool = False
    new_password: str | None = None
    new_token: str | None = None
    sample_token: str | None = None
    """Token for the upload of the sample; None without a sample run."""
    sample_token_id: int | None = None
    """Set when that token is to be revoked afterwards."""
    engine: str
    """The transcription connector in use."""


def prepare(settings: Settings, *, wants_sample: bool) -> Prepared:
    """Make the admin on a first start, and the token of the sample run. Needs an app context and tables."""
    get_backends().redis.ping()
    if users.count() == 0:
        return _first_start(settings, wants_sample=wants_sample)
    return _for_sample(choose(settings)) if wants_sample else Prepared(engine=choose(settings))


def _first_start(settings: Settings, *, wants_sample: bool) -> Prepared:
    password, token = settings.admin_password, settings.bootstrap_token
    if token and (len(token) < _MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable()):
        raise OperatorError(
            f"SPEAKR_BOOTSTRAP_TOKEN needs at least {_MIN_TOKEN_LENGTH} characters, all of them printable ASCII."
        )
    new_password = None if password else secrets.token_urlsafe(15)
    with unit_of_work():  # both or none: an admin without a token could not log in
        try:
            admin = users.create(username=ADMIN, password=password or new_password, is_admin=True)
        except Invalid as error:
            raise OperatorError(f"SPEAKR_ADMIN_PASSWORD will not do: {error.message}") from error
        _, raw = tokens.create(admin.id, name="First token", scopes=ALL_SCOPES, raw=token or None)
    return Prepared(
        is_first_start=True,
        new_password=new_password,
        new_token=None if token else raw,
        sample_token=raw if wants_sample else None,
        engine=choose(settings),
    )


def _for_sample(engine: str) -> Prepared:
    """Make a token for a day if the library is empty; there is no sample run without the admin."""
    admin = users.find(ADMIN)
    if admin is None or not admin.is_admin or not admin.is_active:
        return Prepared(engine=engine)
    actor = Actor(user_id=admin.id, username=ADMIN, is_admin=True, scopes=ALL_SCOPES)
    is_empty = stats.for_everybody(actor)["recordings"]["total"] == 0
    leftovers = [webhook.id for webhook in webhooks.list_page(actor).items if webhook.name == RUN_NAME]
    release()
    if not is_empty and not leftovers:
        return Prepared(engine=engine)
    with unit_of_work():
        for webhook_id in leftovers:  # a sample run was killed before it could tidy up
            webhooks.delete(actor, webhook_id)
        if not is_empty:
            return Prepared(engine=engine)
        token, raw = tokens.create(actor.user_id, name=RUN_NAME, expires_in_days=1, scopes=ALL_SCOPES)
        return Prepared(sample_token=raw, sample_token_id=token.id, engine=engine)
