"""Mistakes in a family's declaration stop the server at its start."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Blueprint, Flask

from speakr.settings import Settings
from speakr.web import families, rate_limits
from speakr.web.access import needs, public
from speakr.web.cors import CorsPolicy
from tests.families.toy import FAMILY


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


def built(settings: Settings, *declared: families.ApiFamily) -> Flask:
    app = Flask("declared")
    families.init_app(app, declared, settings)
    rate_limits.init_app(app, settings)
    return app


def blueprint(rate: str | None = None) -> Blueprint:
    blp = Blueprint("things", __name__)
    view = public(lambda: "") if rate is None else needs(None, rate)(lambda: "")
    blp.add_url_rule("/thing", "thing", view)
    return blp


@pytest.mark.parametrize("prefix", ["", "/", "toy", "/toy/", "/toy//v2", "/<x>"])
def test_a_prefix_that_matches_nothing_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="is not a prefix"):
        replace(FAMILY, prefix=prefix)


def test_two_families_cannot_share_a_name_or_a_prefix(settings: Settings) -> None:
    with pytest.raises(ValueError, match="same name"):
        built(settings, FAMILY, replace(FAMILY, prefix="/other"))
    with pytest.raises(ValueError, match="same prefix"):
        built(settings, FAMILY, replace(FAMILY, name="other"))


def test_a_route_outside_its_prefix_is_refused(settings: Settings) -> None:
    """Else the credentials and the format of another family would hold for it."""
    first = replace(FAMILY, name="first", prefix="/first")
    stray = replace(FAMILY, register=lambda app: app.register_blueprint(blueprint()))
    with pytest.raises(ValueError, match="toy: not under its prefix: /thing"):
        built(settings, first, stray)


def test_a_rate_class_that_does_not_exist_is_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match="no rate class 'polish'"):
        built(settings, replace(FAMILY, rates={}))
    built(settings, replace(FAMILY, rates={"polish": "rate_limit_get"}))


def test_credentials_cannot_be_allowed_to_any_page() -> None:
    with pytest.raises(ValueError, match="credentials"):
        CorsPolicy(allows_any_origin=True, allows_credentials=True)


def test_the_longest_prefix_decides(settings: Settings) -> None:
    inner = replace(FAMILY, name="inner", prefix="/toy/v2/inner", blueprints=(blueprint(),))
    app = built(settings, FAMILY, inner)
    with app.app_context():
        found = {path: families.of_path(path).family.name for path in ("/toy/v2/inner/x", "/toy/v2/innerx")}
    assert found == {"/toy/v2/inner/x": "inner", "/toy/v2/innerx": "toy"}
