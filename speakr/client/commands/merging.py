"""`merge` and `cut`: recordings made of others."""

from __future__ import annotations

import re
from typing import Any

import click

from speakr.client.api import Speakr
from speakr.client.commands.terminal import Failed, one_line, server, show_json, tell

_TIME = re.compile(r"(?:(?:(\d{1,4}):)?([0-5]?\d):)?(\d{1,6}(?:\.\d{1,6})?)")


class _Time(click.ParamType[float]):
    """A time in a recording: seconds, `12:30` or `1:02:03.5`."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        found = _TIME.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no time: write seconds, 12:30 or 1:02:03", param, ctx)
        hours, minutes, seconds = found.groups()
        return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


_WAIT = click.option("--wait", is_flag=True, help="Wait until it is done.")
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the server's JSON.")


@click.command()
@click.argument("recording_ids", metavar="IDS...", type=click.IntRange(1), nargs=-1, required=True)
@click.option("--title", help="Of the new recording; else that of the first one.")
@click.option("--gap", type=click.FloatRange(0, 600), default=0.0, help="Seconds of silence in between.")
@click.option("--delete-originals", is_flag=True, help="Delete them once the new recording is complete.")
@_WAIT
@_AS_JSON
def merge(
    recording_ids: tuple[int, ...],
    *,
    title: str | None,
    gap: float,
    delete_originals: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Make one recording of several, in this order. Nothing is transcribed again."""
    with server() as speakr:
        new = speakr.merge(recording_ids, title=title, gap_seconds=gap, keep_originals=not delete_originals)
        _report(speakr, [new], wait=wait, as_json=as_json)


@click.command()
@click.argument("recording_id", metavar="ID", type=click.IntRange(1))
@click.option("--at", type=_Time(), required=True, help="Where to cut: seconds, 12:30 or 1:02:03.")
@click.option("--title", "titles", nargs=2, metavar="FIRST SECOND", help="Of the two new recordings.")
@click.option("--delete-original", is_flag=True, help="Delete it once both new recordings are complete.")
@_WAIT
@_AS_JSON
def cut(
    recording_id: int,
    *,
    at: float,
    titles: tuple[str, str] | None,
    delete_original: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Make two recordings of one: what is before a time, and the rest."""
    with server() as speakr:
        new = speakr.cut(recording_id, at, titles=titles, keep_original=not delete_original)
        _report(speakr, new, wait=wait, as_json=as_json)


def _report(speakr: Speakr, recordings: list[Any], *, wait: bool, as_json: bool) -> None:
    if as_json:
        show_json(recordings)
    else:
        for each in recordings:
            tell(f"Recording {each['id']} is queued: {one_line(each['title'])}")
    for each in recordings if wait else ():
        status = speakr.wait(each["id"])
        if status["status"] == "FAILED":
            raise Failed(f"Recording {each['id']} failed: {one_line(status['error_message'])}")
        if not as_json:
            tell(f"Recording {each['id']} is done: {one_line(each['title'])}")
