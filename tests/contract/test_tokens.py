"""Tokens, at the documented address outside `/api/v1` and at ours inside."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.library import Library, check, check_error
from tests.contract.shapes import MOMENT, Maybe

TOKEN: dict[str, Any] = {
    "id": 1,
    "name": "a name",
    "created_at": MOMENT,
    "last_used_at": None,
    "expires_at": None,
    "revoked": False,
}
PLACES = pytest.mark.parametrize("place", ["/api/tokens", "/api/v1/tokens"])


@PLACES
def test_the_list(library: Library, place: str) -> None:
    listed = TOKEN | {"last_used_at": Maybe(MOMENT)}
    body = check(library, "GET", place, None, 200, {"tokens": [listed]})
    assert not any("token" in token for token in body["tokens"])


@PLACES
def test_a_new_token(library: Library, place: str) -> None:
    body = check(library, "POST", place, {"name": "n8n"}, 201, TOKEN | {"token": "a"})
    assert (body["name"], len(body["token"])) == ("n8n", 43)
    alice = library.people["alice"]
    answer = alice.client.get("/api/v1/stats", headers={"Authorization": f"Bearer {body['token']}"})
    assert answer.status_code == 200


def test_the_defaults_of_a_new_token(library: Library) -> None:
    body = check(library, "POST", "/api/tokens", {}, 201, TOKEN | {"token": "a"})
    assert body["name"] == "Unnamed Token"


@pytest.mark.parametrize("days", [30, 90, 365])
def test_a_token_that_expires(library: Library, days: int) -> None:
    body = {"name": "x", "expires_in_days": days}
    check(library, "POST", "/api/tokens", body, 201, TOKEN | {"expires_at": MOMENT, "token": "a"})


@PLACES
def test_another_name(library: Library, place: str) -> None:
    body = check(library, "PATCH", f"{place}/{{token}}", {"name": "Renamed"}, 200, TOKEN)
    assert body["name"] == "Renamed"


@PLACES
def test_a_revoked_token_stays_in_the_list(library: Library, place: str) -> None:
    revoked = {"message": "Token revoked successfully"}
    assert check(library, "DELETE", f"{place}/{{token}}", None, 200, revoked) == revoked
    tokens = {token["id"]: token["revoked"] for token in library.make("GET", place)["tokens"]}
    assert tokens[library.ids["token"]] is True


@pytest.mark.parametrize("days", [-1, "soon", 1.5, True])
def test_a_wrong_life(library: Library, days: Any) -> None:
    answer = library.ask("POST", "/api/tokens", {"name": "x", "expires_in_days": days})
    assert (answer.status_code, set(answer.json["errors"])) == (400, {"expires_in_days"})
    assert answer.json["error"] == "expires_in_days must be a non-negative integer"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("PATCH", "/api/tokens/{token}", {}, 400, "name is required"),
        ("PATCH", "/api/tokens/{token}", {"name": " "}, 400, "name is required"),
        ("PATCH", "/api/tokens/{nobody}", {"name": "x"}, 404, "Token not found"),
        ("DELETE", "/api/tokens/{nobody}", None, 404, "Token not found"),
    ],
)
def test_errors(library: Library, method: str, path: str, body: Any, status: int, sentence: str) -> None:
    check_error(library, method, path, body, status, sentence)


def test_tokens_of_others_are_not_there(library: Library) -> None:
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        check_error(library, method, "/api/tokens/{token}", body, 404, "Token not found", as_="bob")
