"""docs/operations.md names every command of an operator, with its options."""

from __future__ import annotations

import re

import click
from flask import Flask
from prometheus_client import CollectorRegistry, generate_latest

from speakr.cli import main
from speakr.client.commands import COMMANDS
from speakr.telemetry.deliveries import DeliveryMetrics
from tests.docs.pages import in_backticks, read, table

UNDOCUMENTED = {"--sample"}
"""The default; the page documents `--no-sample`."""


def options_of_operators() -> dict[str, set[str]]:
    """Return the operator's commands that are not hidden, each with the words its options are called by."""
    context = click.Context(main)
    found = {}
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        if name not in COMMANDS and not command.hidden:
            options = [each for each in command.params if isinstance(each, click.Option)]
            found[name] = {word for each in options for word in (*each.opts, *each.secondary_opts)}
    return found


def test_the_table_names_every_command_and_option_and_none_besides() -> None:
    printed = {
        in_backticks(command)[0].split()[1]: set(re.findall(r"--[a-z-]+", what))
        for command, what in table(read("operations.md"), "command").rows
    }
    assert printed == {name: words - UNDOCUMENTED for name, words in options_of_operators().items()}


def test_the_table_names_every_metric(app: Flask) -> None:
    client = app.test_client()
    client.get("/healthz")  # so that something has been counted
    of_deliveries = CollectorRegistry()
    of_deliveries.register(DeliveryMetrics({"outcome:delivered": 1}))
    shown = client.get("/metrics").text + generate_latest(of_deliveries).decode()
    real = set(re.findall(r"^# TYPE (speakr_\w+?)(?:_created)? ", shown, re.MULTILINE))
    printed = set(table(read("operations.md"), "metric").codes())
    assert {name for name in real if f"{name}_total" not in real} == printed
