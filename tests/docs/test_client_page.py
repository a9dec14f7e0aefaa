"""docs/client.md: its commands and options exist; its session and its example run."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from speakr import client
from speakr.cli import main
from speakr.client import Speakr
from speakr.client.commands import COMMANDS
from tests.conftest import wav
from tests.docs.conftest import PASSWORD, Server
from tests.docs.pages import blocks, in_backticks, read, table

PAGE = "client.md"
ADDRESS_ON_THE_PAGE = "http://127.0.0.1:8899"


def real_commands(
    group: click.Group, names: Iterator[str] | list[str]
) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in names:
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            for inner, command in real_commands(found, list(found.commands)):
                yield f"{name} {inner}", command
        else:
            yield name, found


def usage(name: str, command: click.Command) -> str:
    """`transcript ID`, as the page writes it."""
    context = click.Context(command)
    arguments = [each.make_metavar(context) for each in command.params if isinstance(each, click.Argument)]
    return " ".join([name, *arguments])


def options(command: click.Command) -> set[str]:
    return {name for each in command.params if isinstance(each, click.Option) for name in each.opts}


def test_the_table_names_every_command_and_every_option_and_none_besides() -> None:
    printed = {
        in_backticks(command)[0]: set(in_backticks(named))
        for command, named, _ in table(read(PAGE), "command").rows
    }
    assert printed == {
        usage(name, command): options(command) for name, command in real_commands(main, list(COMMANDS))
    }


def sessions() -> list[str]:
    return [
        line.removeprefix("$ ")
        for block in blocks(read(PAGE))
        if block.language == "console"
        for line in block.text.splitlines()
        if line.startswith("$ ")
    ]


def test_options_in_the_text_are_options() -> None:
    known = {"--help"}.union(*(options(command) for _, command in real_commands(main, list(COMMANDS))))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", read(PAGE))) <= known


def test_the_page_names_every_method_and_every_failure() -> None:
    printed = set(in_backticks(read(PAGE).rpartition("```\n")[2]))
    public = {
        name for name, value in inspect.getmembers(Speakr) if not name.startswith("_") and callable(value)
    }
    assert public <= printed
    assert {name.removesuffix("s") for name in printed} >= set(client.__all__) - {"Speakr"}


@pytest.fixture
def server(serve: Callable[..., Server], tmp_path: Path) -> Server:
    """A server, and here the files that the page names."""
    (tmp_path / "meeting.flac").write_bytes(wav())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b.flac").write_bytes(wav(0.5))
    return serve()


@pytest.fixture
def run(work: Callable[[], None], tmp_path: Path) -> Callable[..., str]:
    """Run a Python program to its good end, doing the server's work meanwhile; return what it printed."""

    def start(*arguments: str, typed: str = "", **environment: str) -> str:
        with (tmp_path / "typed").open("w+") as keyboard:
            keyboard.write(typed)
            keyboard.seek(0)
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env={"PATH": os.environ["PATH"], "XDG_CONFIG_HOME": str(tmp_path / "config"), **environment},
                cwd=tmp_path,
                stdin=keyboard,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # without a terminal, passwords are read from standard input
            )
        try:
            while process.poll() is None:
                work()
                time.sleep(0.02)
        finally:
            process.kill()
            output, errors = process.communicate()
        assert process.returncode == 0, (arguments, errors)
        return output

    return start


def test_the_session_runs(server: Server, run: Callable[..., str]) -> None:
    login, *others = sessions()
    words = shlex.split(login.replace(ADDRESS_ON_THE_PAGE, server.url))[1:]
    assert "You are admin (an admin) at" in run("-m", "speakr", *words, typed=f"{server.token}\n")
    assert others
    for line in others:
        assert run("-m", "speakr", *shlex.split(line)[1:]), line


def test_a_password_makes_a_token_that_logout_revokes(server: Server, run: Callable[..., str]) -> None:
    login = ["login", server.url, "--username", "admin", "--password-stdin"]
    assert "You are admin" in run("-m", "speakr", *login, typed=f"{PASSWORD}\n")
    with Speakr(server.url, server.token) as speakr:
        newest = speakr.tokens()[0]
        assert (newest["name"].startswith("speakr on "), newest["revoked"]) == (True, False)
        run("-m", "speakr", "logout")
        assert [each["revoked"] for each in speakr.tokens() if each["id"] == newest["id"]] == [True]


def test_the_example_runs(server: Server, run: Callable[..., str]) -> None:
    (example,) = [block.text for block in blocks(read(PAGE)) if block.language == "python"]
    lines = run("-c", example, SPEAKR_URL=server.url, SPEAKR_TOKEN=server.token).splitlines()
    assert lines[:3] == ["COMPLETED", "[SPEAKER_00]: heard 0.1-0.4", "[SPEAKER_00]: heard 0.5-0.9"]
    assert lines[-1] == "404 not_found Recording not found"
