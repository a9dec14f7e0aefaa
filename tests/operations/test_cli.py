"""The operator's commands, against a real database and Redis."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from speakr import backends as plumbing
from speakr.cli import main
from speakr.db import release
from speakr.domain.permissions import ALL_SCOPES, DEFAULT_SCOPES, Scope
from speakr.operations import settings_pages
from speakr.services.accounts import tokens, users
from speakr.services.system import storage_owner, system_settings
from speakr.settings import Settings
from tests.operations.conftest import ROOT

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command in this process with the settings of the test; the app of the test stays in place."""
    for name, value in {
        "SPEAKR_SECRET_KEY": settings.secret_key,
        "SPEAKR_DATA": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SPEAKR_LOG_LEVEL": "CRITICAL",
    }.items():
        monkeypatch.setenv(name, value)
    before = plumbing.get_backends()
    handlers = logging.getLogger().handlers[:]

    def invoke(*arguments: str, typed: str = "") -> Result:
        release()
        made = CliRunner().invoke(main, arguments, input=typed)
        release()
        if made.exception is not None and not isinstance(made.exception, SystemExit):
            raise made.exception
        return made

    yield invoke
    plumbing.set_backends(before)
    logging.getLogger().handlers = handlers


def test_create_user_asks_for_a_password_twice(run: Run) -> None:
    made = run("create-user", "ann", "--email", "ann@example.com", typed="long enough\nlong enough\n")
    assert made.exit_code == 0, made.output
    assert "long enough" not in made.output
    assert users.authenticate("ann", "long enough").is_admin is False


def test_create_user_from_a_script(run: Run) -> None:
    assert run("create-user", "root", "--admin", "--password-stdin", typed="long enough\n").exit_code == 0
    assert users.authenticate("root", "long enough").is_admin is True
    assert run("create-user", "robot", "--no-password").exit_code == 0
    assert users.find("robot").password_hash is None


def test_create_user_refuses_in_a_sentence(run: Run) -> None:
    short = run("create-user", "ann", "--password-stdin", typed="short\n")
    assert (short.exit_code, short.stderr) == (2, "Error: A password has at least 8 characters.\n")
    run("create-user", "ann", "--no-password")
    twice = run("create-user", "ANN", "--no-password")
    assert (twice.exit_code, twice.stderr) == (
        2,
        "Error: A user with this name or e-mail address already exists.\n",
    )


def test_create_token_prints_the_token_alone(run: Run) -> None:
    run("create-user", "ann", "--no-password")
    made = run("create-token", "ann", "--name", "script", "--days", "3")
    assert made.exit_code == 0
    actor = tokens.authenticate(made.stdout.strip())
    assert (actor.username, actor.scopes) == ("ann", DEFAULT_SCOPES)
    (row,) = tokens.list_page(actor).items
    assert row.name == "script"
    assert row.expires_at is not None


def test_create_token_with_scopes(run: Run) -> None:
    run("create-user", "ann", "--no-password")
    made = run("create-token", "ann", "--scopes", "read, Process")
    assert tokens.authenticate(made.stdout.strip()).scopes == {Scope.READ, Scope.PROCESS}
    for arguments, sentence in (
        (
            ("ann", "--scopes", "read,fly"),
            "Unknown scope: fly. Known are: read, write, process, webhooks, admin, calendar.",
        ),
        (("ann", "--scopes", ","), "Unknown scope: none given."),
        (("ann", "--scopes", "admin"), "ann is not an admin"),
        (("bob",), "There is no user named bob."),
    ):
        refused = run("create-token", *arguments)
        assert refused.exit_code == 2
        assert refused.stderr.startswith(f"Error: {sentence}")
        assert refused.stdout == ""


def test_set_changes_a_system_setting(run: Run) -> None:
    assert run("set", "enable_folders", "yes").exit_code == 0
    assert system_settings.get("enable_folders") is True
    assert run("set", "enable_folders", "off").exit_code == 0
    assert system_settings.get("enable_folders") is False
    assert run("set", "enable_folders", "maybe").stderr == "Error: enable_folders must be true or false.\n"
    unknown = run("set", "colour", "blue")
    assert (unknown.exit_code, unknown.stderr.startswith("Error: There is no setting named colour.")) == (
        2,
        True,
    )


def test_migrate_and_rescue_jobs_do_no_harm(run: Run) -> None:
    assert run("migrate").output == "The database is up to date.\n"
    assert run("rescue-jobs").exit_code == 0
    assert run("reindex").output == "0 recordings are in the search index.\n"


def test_orphans_are_listed_and_removed(run: Run) -> None:
    folder = plumbing.get_backends().settings.data_dir / "blobs" / ".partial"
    folder.mkdir(parents=True)
    (folder / "left").touch()
    os.utime(folder / "left", (0, 0))
    assert run("remove-orphans", "--dry-run").output == "1 partial writes and 0 blobs would be removed.\n"
    assert (folder / "left").exists()
    assert run("remove-orphans").output == "1 partial writes and 0 blobs were removed.\n"
    assert not (folder / "left").exists()


def test_orphans_in_a_storage_of_another_database_stay(run: Run) -> None:
    mark = plumbing.get_backends().settings.data_dir / "blobs" / storage_owner.MARK_KEY
    mark.parent.mkdir(parents=True)
    mark.write_text("f" * 32)
    refused = run("remove-orphans")
    assert (refused.exit_code, refused.stderr[:47]) == (2, "Error: The storage belongs to another database,")
    assert run("remove-orphans", "--take-over").output == "0 partial writes and 0 blobs were removed.\n"
    assert run("remove-orphans").exit_code == 0


def test_settings_are_shown_without_secrets(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://user:hunter2@redis:6379/0")
    monkeypatch.setenv("TRANSCRIPTION_API_KEY", "sk-hunter2")
    shown = run("settings").output
    assert "hunter2" not in shown
    assert "REDIS_URL=redis://user:********@redis:6379/0\n" in shown
    assert "TRANSCRIPTION_API_KEY=********\n" in shown
    assert "TEXT_MODEL_API_KEY=\n" in shown
    assert "SPEAKR_WORKERS=2\n" in shown


def test_a_database_without_tables_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    refused = run("create-user", "ann", "--no-password")
    assert (refused.exit_code, refused.stderr) == (
        2,
        "Error: The database has no tables yet; make them with: speakr migrate\n",
    )


@pytest.mark.parametrize(
    "command", [("migrate",), ("work",), ("dispatch-webhooks",), ("settings",), ("create-token", "ann")]
)
def test_a_missing_secret_is_one_sentence(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPEAKR_SECRET_KEY", raising=False)
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: SPEAKR_SECRET_KEY is not set.")
    assert refused.stderr.count("\n") == 1


# -- what is generated from the settings


@pytest.mark.parametrize(
    ("file", "page"),
    [("config/env.example", settings_pages.env_example), ("docs/settings.md", settings_pages.markdown)],
)
def test_generated_pages_are_in_step(file: str, page: Callable[[], str]) -> None:
    assert (ROOT / file).read_text() == page(), (
        f"make it anew with `speakr settings` (see the head of {file})"
    )


def test_the_example_file_can_be_read_back() -> None:
    """Uncommented, it is what the defaults are."""
    environ = {}
    for line in settings_pages.env_example().splitlines():
        name, equals, value = line.removeprefix("# ").partition("=")
        if equals and name.isupper():
            environ[name] = value
    environ["SPEAKR_SECRET_KEY"] = "x" * 32
    assert Settings.from_env(environ) == Settings(secret_key="x" * 32)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://u:p@host/db?x=1", "postgresql+psycopg://u:********@host/db?x=1"),
        ("redis://:p@host", "redis://:********@host"),
        ("postgresql://u:p@q@host/db", "postgresql://u:********@host/db"),
        ("postgresql://u:p@[broken/db", "********"),
        ("unix:///tmp/a@b", "unix:///tmp/a@b"),
        ("sqlite:////data/speakr.db", "sqlite:////data/speakr.db"),
    ],
)
def test_passwords_in_urls_are_masked(url: str, shown: str) -> None:
    assert settings_pages.without_password(url) == shown


def test_prepare_answers_in_json(run: Run, app: Flask) -> None:
    answer = json.loads(run("prepare", "--no-sample").stdout)
    assert answer["is_first_start"] is True
    assert tokens.authenticate(answer["new_token"]).scopes == ALL_SCOPES
    assert users.authenticate("admin", answer["new_password"]).is_admin is True
    again = json.loads(run("prepare", "--no-sample").stdout)
    assert (again["is_first_start"], again["new_token"], again["sample_token"]) == (False, None, None)
