"""The commands `speakr models ...`."""

# Imported in the commands, so that the other commands start as fast as before.
# ruff: noqa: PLC0415

from __future__ import annotations

import os
from pathlib import Path

import click

from speakr.settings import Settings
from speakr.speech_settings import LANGUAGES


@click.group()
def models() -> None:
    """Prepare the models that the embedded engine uses."""


@models.command("list")
def list_models() -> None:
    """List the models, their sizes and whether they are prepared."""
    from speakr.operations import model_preparation

    for line in model_preparation.listed(_folder()):
        click.echo(line)


@models.command("prepare")
@click.argument("names", nargs=-1)
@click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False), help="Folder; default SPEAKR_MODELS."
)
@click.option(
    "--languages",
    type=click.Choice(LANGUAGES),
    default="all",
    envvar="SPEAKR_LANGUAGES",
    help="en leaves out models that only other languages than English need.",
)
def prepare_models(names: tuple[str, ...], into: Path | None, languages: str) -> None:
    """Download and convert models that are missing: all that the languages need, or the named ones."""
    from speakr.operations import model_preparation

    model_preparation.prepare(names or model_preparation.needed(languages), into or _folder(), click.echo)


def _folder() -> Path:
    """Return the folder of the settings. Models are prepared before there is a secret key, and need none."""
    return Settings.from_env({"SPEAKR_SECRET_KEY": "-" * 32, **os.environ}).models_folder  # noqa: TID251 - one value is added
