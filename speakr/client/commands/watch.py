"""`watch`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from speakr.client.api import Speakr
from speakr.client.commands.sending import left_out, upload_options
from speakr.client.commands.terminal import Failed, server, tell, warn
from speakr.client.journal import Journal
from speakr.client.watching import Done, Watch


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--pattern",
    "patterns",
    multiple=True,
    metavar="GLOB",
    help="Names to take, for example '*.wav'; may be repeated. Without it: audio and video by their suffix.",
)
@click.option(
    "--done",
    type=click.Choice([each.value for each in Done]),
    default=Done.KEEP.value,
    show_default=True,
    help="What becomes of an uploaded file: move it to the folder done in FOLDER, keep it, delete it.",
)
@click.option("--once", is_flag=True, help="Upload what is there, and end.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    show_default=True,
    help="Seconds between looks. A file that is the same in two of them has stopped growing.",
)
@upload_options
def watch(
    folder: Path, *, patterns: tuple[str, ...], done: str, once: bool, interval: float, **options: Any
) -> None:
    """Upload what appears in a folder, each file once.

    What was uploaded is remembered in FOLDER/.speakr-watch.jsonl. Stop it with Ctrl-C, or kill it: it goes on
    where it was.
    """
    with server() as speakr:
        me = speakr.me()
        library = f"{me['username']} (user {me['id']}) at {speakr.base_url}"
        with Journal(folder, library) as journal:
            looking = Watch(
                speakr,
                folder,
                journal,
                patterns=patterns,
                done=Done(done),
                options={name: value for name, value in options.items() if value},
                tell=tell,
                warn=warn,
                sent=lambda answer: _tell_left_out(speakr, answer["id"], options),
            )
            if once:
                _once(looking, interval)
            else:
                _until_stopped(looking, folder, interval)


def _tell_left_out(speakr: Speakr, recording_id: int, options: dict[str, Any]) -> None:
    for trouble in left_out(speakr, recording_id, options):
        warn(trouble)


def _once(looking: Watch, interval: float) -> None:
    if not looking.look():
        return
    time.sleep(interval)
    waiting = looking.look()
    if waiting:
        raise Failed(f"Left for next time: {', '.join(waiting)}")


def _until_stopped(looking: Watch, folder: Path, interval: float) -> None:
    warn(f"Watching {click.format_filename(folder)}; Ctrl-C stops it.")
    try:
        while True:
            looking.look()
            time.sleep(interval)
    except KeyboardInterrupt:
        return
