"""The login of a user, and where it is stored."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from speakr.client import config
from tests.client.conftest import Run
from tests.client.stub import Answer, Stub, error

ANN = {"id": 1, "username": "ann", "is_admin": False}


def token(prefix: str, *scopes: str, revoked: bool = False) -> dict[str, object]:
    return {"id": 3, "prefix": prefix, "scopes": list(scopes), "revoked": revoked}


def tokens(*them: dict[str, object]) -> dict[str, object]:
    return {"tokens": list(them)}


ALL = ("read", "write", "process", "webhooks")


def test_login_with_a_token_that_is_asked_for(stub: Stub, run: Run) -> None:
    stub.will(ANN, tokens(token("abcdef", *ALL)))
    printed = run("login", typed=f"{stub.url}/\nabcdef123\n")
    assert printed.stdout.endswith(f"You are ann at {stub.url}.\n")
    assert "abcdef123" not in printed.output
    assert printed.stderr == ""
    assert config.in_force({}) == config.Login(stub.url, "abcdef123")


def test_the_file_is_for_its_owner_only(stub: Stub, run: Run) -> None:
    before = os.umask(0)
    try:
        stub.will(ANN, tokens())
        run("login", stub.url, "--token", "abc")
    finally:
        os.umask(before)
    assert stat.S_IMODE(config.file().stat().st_mode) == 0o600
    assert stat.S_IMODE(config.file().parent.stat().st_mode) == 0o700
    assert [path.name for path in config.file().parent.iterdir()] == ["client.json"]


def test_missing_scopes_are_named(stub: Stub, run: Run) -> None:
    stub.will(ANN, tokens(token("other", *ALL), token("abc", *ALL, revoked=True), token("abc", "read")))
    printed = run("login", stub.url, "--token-stdin", typed="abc123\n")
    assert [line.split(":")[0] for line in printed.stderr.splitlines()] == [
        "This token lacks the scope write",
        "This token lacks the scope process",
        "This token lacks the scope webhooks",
    ]


def test_a_token_that_may_not_read_is_good_all_the_same(stub: Stub, run: Run) -> None:
    stub.will(error(403, "scope_missing", "This token lacks the scope 'read'."))
    printed = run("login", stub.url, "--token", "abc")
    assert printed.stdout == f"The token is good at {stub.url}.\n"
    assert "lacks the scope read" in printed.stderr


def test_a_wrong_token_is_not_kept(stub: Stub, run: Run) -> None:
    stub.will(error(401, "invalid_token", "This token is unknown."))
    printed = run("login", stub.url, "--token", "abc", exit_code=1)
    assert printed.stderr == "Error: This token is unknown. Log in again: speakr login\n"
    assert not config.file().exists()


def test_login_with_a_password_makes_a_token_and_logout_revokes_it(stub: Stub, run: Run) -> None:
    stub.will(Answer(201, {"id": 9, "token": "made123"}), ANN, tokens(token("made12", *ALL)))
    run("login", stub.url, "--username", "ann", "--password-stdin", typed="pä:ss\n")
    assert stub.asked[0].path == "/api/v1/tokens"
    assert stub.asked[0].headers["Authorization"] == "Basic YW5uOnDDpDpzcw=="  # UTF-8, RFC 7617
    assert stub.asked[1].headers["Authorization"] == "Bearer made123"
    stub.will({"message": "Token revoked successfully"})
    assert run("logout").stdout == f"Logged out of {stub.url}.\n"
    assert (stub.asked[-1].method, stub.asked[-1].path) == ("DELETE", "/api/v1/tokens/9")
    assert not config.file().exists()
    assert run("logout").stdout == "You are not logged in.\n"


def test_an_account_is_created_before_its_token(stub: Stub, run: Run) -> None:
    tokens_of_ann = tokens(token("made12", *ALL))
    stub.will(Answer(201, {"user": {"username": "ann"}}), Answer(201, {"id": 9, "token": "made123"}))
    stub.will(ANN, tokens_of_ann)
    run("login", stub.url, "--username", "ann", "--password-stdin", "--register", typed="a long one\n")
    assert [asked.path for asked in stub.asked[:2]] == ["/api/v1/auth/register", "/api/v1/tokens"]
    assert json.loads(stub.asked[0].body) == {"username": "ann", "password": "a long one", "email": None}


def test_logout_without_the_server_still_forgets(stub: Stub, run: Run) -> None:
    config.keep(config.Login(stub.url, "abc", 9))
    stub.will(error(401, "invalid_token", "This token is unknown."))
    printed = run("logout")
    assert "could not be revoked" in printed.stderr
    assert config.kept() is None


def test_a_token_that_was_pasted_is_not_revoked(stub: Stub, run: Run) -> None:
    config.keep(config.Login(stub.url, "abc"))
    run("logout")
    assert stub.asked == []


def test_whoami(logged_in: Stub, run: Run) -> None:
    logged_in.will({**ANN, "is_admin": True}, tokens())
    assert run("whoami").stdout == f"You are ann (an admin) at {logged_in.url}.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("speakr.lan", "--token", "abc"),
        ("http://a", "--token", "two words"),
        ("http://a", "--token", "abc", "--username", "ann"),
        ("http://a", "--token", "abc", "--password-stdin"),
        ("http://a", "--token", "abc", "--register"),
    ],
)
def test_misuse(arguments: tuple[str, ...], run: Run) -> None:
    run("login", *arguments, exit_code=2)


# -- which login is in force


def test_no_user_is_logged_in(run: Run) -> None:
    printed = run("list", exit_code=2)
    assert printed.stderr.startswith("Error: You are not logged in")
    assert printed.stderr.count("\n") == 1


def test_the_environment_goes_before_the_file() -> None:
    config.keep(config.Login("http://kept:1", "kept-token"))
    assert config.in_force({}) == config.Login("http://kept:1", "kept-token")
    both = {"SPEAKR_URL": "http://other:1/", "SPEAKR_TOKEN": "t"}
    assert config.in_force(both) == config.Login("http://other:1", "t")
    assert config.in_force({"SPEAKR_TOKEN": "t"}) == config.Login("http://kept:1", "t")
    assert config.in_force({"SPEAKR_URL": "http://kept:1/"}).token == "kept-token"


def test_a_kept_token_goes_to_no_other_server() -> None:
    config.keep(config.Login("http://kept:1", "kept-token"))
    with pytest.raises(config.NotLoggedIn, match="you logged in to http://kept:1"):
        config.in_force({"SPEAKR_URL": "http://evil:1"})


def test_a_token_alone_is_for_this_machine() -> None:
    assert config.in_force({"SPEAKR_TOKEN": "t"}) == config.Login(config.DEFAULT_URL, "t")


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"url": "x", "token": "y"})])
def test_a_broken_file_is_reported(content: str, run: Run) -> None:
    config.file().parent.mkdir(parents=True)
    config.file().write_text(content)
    printed = run("list", exit_code=2)
    assert "log in again" in printed.stderr


def test_a_folder_that_cannot_be_made(stub: Stub, run: Run, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("in the way")
    stub.will(ANN, tokens())
    printed = run("login", stub.url, "--token", "abc", exit_code=2)
    assert str(tmp_path / "config") in printed.stderr


def test_an_address_is_verified_with_a_code(logged_in: Stub, run: Run) -> None:
    logged_in.will({"email": "ann@mail.example", "expires_at": "2026-11-30T00:00:00Z"})
    assert run("verify-email").stdout == "A code is on its way to ann@mail.example.\n"
    logged_in.will({"email": "ann@mail.example"})
    assert run("verify-email", "12-ab").stdout == "ann@mail.example is verified.\n"


def test_a_wrong_code_is_refused_in_a_sentence(logged_in: Stub, run: Run) -> None:
    logged_in.will(error(404, "wrong_code", "This code is wrong, expired, or was used before."))
    assert "This code is wrong" in run("verify-email", "12-ab", exit_code=1).stderr
