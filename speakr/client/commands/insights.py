"""`insights`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from speakr.client.commands.terminal import Failed, length, one_line, server, show_json, tell, warn

Found = Mapping[str, Any]
_INDENT = "  "


@click.command()
@click.argument("recording_id", metavar="ID", type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print the server's JSON, with the words it rests on.")
def insights(recording_id: int, *, as_json: bool) -> None:
    """Print key points, action items, chapters and topics of a recording, and where they are said."""
    with server() as speakr:
        found = speakr.insights(recording_id)
    if as_json:
        show_json(found)
        return
    if not found["has_insights"]:
        raise Failed(f"Recording {recording_id} has no insights.")
    tell("\n\n".join(_parts(found)))
    if not found["is_current"]:
        warn("The transcript has changed since.")
    if found["coverage"] < 1:
        warn(f"{found['coverage']:.0%} of the transcript was read.")


def _parts(found: Found) -> Iterator[str]:
    named: Sequence[tuple[str, str, Callable[[Found], str]]] = [
        ("Key points", "key_points", _text),
        ("Action items", "action_items", _action_item),
        ("Chapters", "chapters", lambda each: one_line(each["title"])),
        ("Topics", "topics", lambda each: one_line(each["name"])),
    ]
    for heading, key, written in named:
        lines = [_INDENT.join(["", _place(each), written(each) + _doubt(each)]) for each in found[key]]
        yield "\n".join([heading, *(lines or [f"{_INDENT}none"])])


def _text(claim: Found) -> str:
    return one_line(claim["text"])


def _action_item(item: Found) -> str:
    owner = f"{one_line(item['owner'])}: " if item["owner"] else ""
    due = f" ({one_line(item['due'])})" if item["due"] else ""
    return f"{owner}{_text(item)}{due}"


def _place(found: Found) -> str:
    """Return where the first words are that it rests on."""
    return length(found["sources"][0]["start_time"] if found["sources"] else None).rjust(7)


def _doubt(found: Found) -> str:
    return " [unverified]" if found.get("unverified") else ""
