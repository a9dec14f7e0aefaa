"""What `upload` and `watch` have in common: the options of an upload, and what the server made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from speakr.client.api import Speakr

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--language", help="Language spoken, for example en; without it, it is detected."),
    click.option("--tag", "tags", multiple=True, metavar="NAME", help="A tag of yours; may be repeated."),
    click.option("--folder", "folder_id", type=click.IntRange(1), metavar="ID", help="A folder of yours."),
    click.option("--min-speakers", type=click.IntRange(1, 100), help="At least so many people speak."),
    click.option("--max-speakers", type=click.IntRange(1, 100), help="At most so many people speak."),
    click.option(
        "--channels",
        type=click.Choice(["auto", "separate", "mix"]),
        help="Separate makes each channel a speaker; without it, the sides of a call are.",
    ),
)


def upload_options(command: Command) -> Command:
    """Give a command the options of an upload."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def left_out(speakr: Speakr, recording_id: int, options: dict[str, Any]) -> list[str]:
    """Tell which tags and folders there were not; the server passes over them in silence."""
    if not options.get("tags") and options.get("folder_id") is None:
        return []
    found = speakr.recording(recording_id, with_texts=False)
    there = {tag["name"].casefold() for tag in found["tags"]}
    sentences = [
        f"Recording {recording_id} has no tag '{name}': you have none of this name."
        for name in options.get("tags", ())
        if name.casefold() not in there
    ]
    if options.get("folder_id") not in {None, found["folder_id"]}:
        sentences.append(f"Recording {recording_id} is in no folder: you have none with this id.")
    return sentences
