"""Prepare an empty server: `python -m tests.intake.people alice=<token> bob=<token>`, settings from outside."""

from __future__ import annotations

import sys

from speakr.app import create_core_app
from speakr.db import unit_of_work
from speakr.schema import upgrade
from speakr.services.accounts import tokens, users
from speakr.settings import Settings


def main() -> None:
    settings = Settings.from_env()
    upgrade(settings.resolved_database_url)
    with create_core_app(settings).app_context(), unit_of_work():
        for person in sys.argv[1:]:
            name, _, raw = person.partition("=")
            tokens.create(users.create(username=name).id, raw=raw)


if __name__ == "__main__":
    main()
