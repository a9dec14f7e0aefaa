"""docs/troubleshooting.md names the parts, codes and commands that exist."""

from __future__ import annotations

import re

import click
import pytest
from flask import Flask

from speakr.cli import main
from speakr.operations.data_folder import DataFolder
from tests.docs.pages import blocks, in_backticks, read, table


@pytest.fixture(scope="module")
def page() -> str:
    return read("troubleshooting.md")


def test_the_parts_are_those_of_readyz(app: Flask, page: str) -> None:
    checks = app.test_client().get("/readyz").json["checks"]
    assert table(page, "part").codes() == list(checks)
    (shown,) = [block.text for block in blocks(page) if "/readyz" in block.text]
    assert re.findall(r'"(\w+)":\{"ok"', shown) == list(checks)


def test_the_error_codes_are_those_of_recordings(page: str) -> None:
    section = page.partition("## A recording has failed")[2].partition("\n## ")[0]
    named = [in_backticks(line)[0] for line in section.splitlines() if line.startswith("- `")]
    assert named
    assert set(named) <= set(table(read("api"), "error_code").codes())


def test_the_commands_and_options_exist(page: str) -> None:
    context = click.Context(main)
    printed = re.findall(r"(?:bin/|-m )speakr ([a-z-]+)((?: --[a-z-]+)*)", page)
    assert printed
    for name, options in printed:
        command = main.get_command(context, name)
        assert command is not None
        assert set(options.split()) <= {word for each in command.params for word in each.opts}


def test_the_folder_of_the_logs_exists(page: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = DataFolder.prepare(tmp_path_factory.mktemp("data") / "data")
    assert f"{folder.logs.name}/" in table(page, "path").codes()
