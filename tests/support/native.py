"""The routes of the native API, without those of other families."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import Rule

from speakr.web import families


def native_rules(app: Flask) -> list[Rule]:
    """Return the rules that belong to the native family."""
    with app.app_context():
        return [
            rule for rule in app.url_map.iter_rules() if families.of_path(rule.rule).family.name == "native"
        ]
