"""Each failure under the prefix has Clio's shape and the shared headers."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient


@pytest.fixture
def clio(client: FlaskClient) -> FlaskClient:
    return client


def test_health_answers_without_a_credential(clio: FlaskClient) -> None:
    answer = clio.get("/clio/api/health/")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert answer.headers["X-Request-ID"]
