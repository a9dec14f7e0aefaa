"""`transcript`, `summary`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from speakr.client.commands.terminal import Failed, Misused, server, show_json, show_text


@click.command()
@click.argument("recording_id", metavar="ID", type=click.IntRange(1))
@click.option(
    "--format",
    "format_",
    metavar="FORMAT",
    default="text",
    show_default=True,
    help="A format that the server can write: text, json (segments with times), srt, vtt.",
)
@click.option("--paragraphs", is_flag=True, help="text without speakers, in paragraphs.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it to a file instead.",
)
def transcript(recording_id: int, *, format_: str, paragraphs: bool, output: Path | None) -> None:
    """Print what was said in a recording."""
    with server() as speakr:
        if format_ == "json":
            segments = speakr.segments(recording_id)
            if output is None:
                show_json(segments)
                return
            text = json.dumps(segments, ensure_ascii=False, indent=2)
        else:
            style = "paragraphs" if paragraphs else "lines"
            text = speakr.transcript(recording_id, format_, style=style)
    if output is None:
        show_text(text)
        return
    try:
        output.write_text(text if text.endswith("\n") else f"{text}\n", "utf-8", newline="")
    except OSError as error:
        raise Misused(f"{click.format_filename(output)} cannot be written: {error.strerror}.") from None


@click.command()
@click.argument("recording_id", metavar="ID", type=click.IntRange(1))
def summary(recording_id: int) -> None:
    """Print the summary of a recording."""
    with server() as speakr:
        text = speakr.summary(recording_id)
    if text is None:
        raise Failed(f"Recording {recording_id} has no summary.")
    show_text(text)
