"""Users, groups and system settings from the command line, against a real database."""

from __future__ import annotations

import pytest

from speakr.db import unit_of_work
from speakr.domain.errors import NotAuthenticated
from speakr.services.accounts import tokens, usage, users
from speakr.services.system import system_settings
from tests.operations.test_cli import Run, run

__all__ = ["run"]


@pytest.fixture
def ann(run: Run) -> int:
    run("create-user", "ann", "--no-password")
    return users.find("ann").id


def refusal(run: Run, *arguments: str, typed: str = "") -> str:
    refused = run(*arguments, typed=typed)
    assert refused.exit_code == 2
    assert refused.stdout == ""
    return refused.stderr


def test_set_user_changes_what_is_named(run: Run, ann: int) -> None:
    budgets = ("--token-budget", "1000", "--transcription-minutes", "30", "--storage-mb", "0")
    assert run("set-user", "ANN", *budgets, "--admin").output == "ANN is changed.\n"
    user = users.find("ann")
    assert (user.token_budget, user.transcription_budget_seconds, user.storage_quota_bytes) == (1000, 1800, 0)
    assert user.is_admin is True
    run("set-user", "ann", "--token-budget", "default", "--storage-mb", "5")
    user = users.find("ann")
    assert (user.token_budget, user.storage_quota_bytes) == (None, 5 * 1024 * 1024)
    run("set-user", "ann", "--password-stdin", typed="long enough\n")
    assert users.authenticate("ann", "long enough").user_id == ann
    run("set-user", "ann", "--password", typed="even longer\neven longer\n")
    assert users.authenticate("ann", "even longer").user_id == ann


def test_set_user_lets_in_and_out(run: Run, ann: int) -> None:
    with unit_of_work():
        _, raw = tokens.create(ann)
    run("set-user", "ann", "--no-active")
    assert users.find("ann").is_active is False
    run("set-user", "ann", "--active")
    assert users.find("ann").is_active is True
    with pytest.raises(NotAuthenticated):
        tokens.authenticate(raw)  # it ended when the account was locked


def test_set_user_refuses_in_a_sentence(run: Run, ann: int) -> None:
    assert refusal(run, "set-user", "bob", "--admin") == "Error: There is no user named bob.\n"
    assert refusal(run, "set-user", "ann").startswith("Error: Nothing to change was named")
    for budget in ("many", "-1", "1.5", "٣", "9" * 30):
        printed = refusal(run, "set-user", "ann", "--token-budget", budget)
        assert printed == f"Error: {budget} is no budget: give a whole number, or default.\n"
    for option in ("--token-budget", "--transcription-minutes", "--storage-mb"):
        assert "is no budget" in refusal(run, "set-user", "ann", option, "2147483648")
    short = refusal(run, "set-user", "ann", "--password-stdin", typed="short\n")
    assert short == "Error: A password has at least 8 characters.\n"
    run("set-user", "ann", "--admin")
    assert refusal(run, "set-user", "ann", "--no-admin") == "Error: This is the last active administrator.\n"


def test_users_are_listed_with_what_they_have_used(run: Run, ann: int) -> None:
    run("create-user", "root", "--admin", "--no-password")
    run("set-user", "ann", "--token-budget", "100", "--no-active")
    with unit_of_work():
        usage.add(ann, tokens=7, transcribed_seconds=150)
    first, second = run("list-users").output.splitlines()
    assert first.split() == [
        *(str(ann), "ann", "user,", "off", "0", "recordings"),
        *("tokens", "7", "of", "100", "minutes", "2", "of", "default", "MB", "0", "of", "default"),
    ]
    assert second.split()[1:3] == ["root", "admin"]


def test_groups_and_members(run: Run, ann: int) -> None:
    assert run("create-group", "Engineering", "--description", "Builds").output.startswith(
        "Made the group Engineering (id "
    )
    assert refusal(run, "create-group", "Engineering") == "Error: A group with this name already exists.\n"
    assert run("add-member", "Engineering", "ann").output == "ann is a member of Engineering.\n"
    assert run("add-member", "Engineering", "ann", "--admin").output == "ann is an admin of Engineering.\n"
    (membership,) = users.memberships_of(ann)
    assert (membership.group_name, membership.role) == ("Engineering", "admin")
    assert refusal(run, "add-member", "Engineering", "ann").startswith(
        "Error: This is the group's last admin"
    )
    assert refusal(run, "add-member", "Sales", "ann") == "Error: There is no group named Sales.\n"
    assert refusal(run, "add-member", "Engineering", "bob") == "Error: There is no user named bob.\n"


def test_system_settings_are_listed_and_reset(run: Run) -> None:
    run("set", "enable_folders", "yes")
    lines = run("list-settings").output.splitlines()
    assert "enable_folders = true  (default false)" in lines
    assert "retention_days = null" in lines
    assert len(lines) == len(system_settings.KNOWN)
    assert run("set", "enable_folders", "--reset").output == "enable_folders is now false.\n"
    assert system_settings.get("enable_folders") is False
    assert "There is no setting named colour." in refusal(run, "set", "colour", "--reset")
    for arguments in (("enable_folders",), ("enable_folders", "yes", "--reset")):
        assert "Give a value, or --reset." in refusal(run, "set", *arguments)


def test_addresses_that_an_operator_sets_are_verified(run: Run, ann: int) -> None:
    def state(name: str) -> tuple[str | None, bool]:
        user = users.find(name)
        return user.email, user.email_verified

    run("create-user", "bob", "--no-password", "--email", "bob@mail.example")
    assert state("bob") == ("bob@mail.example", True)
    run("set-user", "ann", "--email", "ann@mail.example")
    assert state("ann") == ("ann@mail.example", True)
    run("set-user", "ann", "--no-email-verified")
    assert state("ann") == ("ann@mail.example", False)
    run("set-user", "ann", "--email-verified")
    assert state("ann") == ("ann@mail.example", True)
