"""`list`, `show`."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click

from speakr.client.commands.terminal import (
    length,
    moment,
    one_line,
    plain,
    server,
    show_json,
    show_text,
    table,
    tell,
)

_MAX_PER_PAGE = 100


@click.command("list")
@click.option(
    "--status",
    type=click.Choice(["all", "pending", "processing", "completed", "failed"]),
    help="Only those of this status.",
)
@click.option("--query", metavar="TEXT", help="Only those with this in their title or participants.")
@click.option("--tag", metavar="NAME", help="Only those with this tag.")
@click.option("--limit", type=click.IntRange(1), default=25, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's JSON, a list.")
def list_(*, limit: int, as_json: bool, **filters: Any) -> None:
    """List your recordings, newest first."""
    with server() as speakr:
        found = list(islice(speakr.recordings(per_page=min(limit, _MAX_PER_PAGE), **filters), limit))
    if as_json:
        show_json(found)
        return
    table(
        [
            (
                str(each["id"]),
                each["status"],
                moment(each["created_at"]),
                length(each["audio_duration"]),
                one_line(each["title"]),
            )
            for each in found
        ]
    )


@click.command()
@click.argument("recording_id", metavar="ID", type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print the server's JSON, with all texts.")
def show(recording_id: int, *, as_json: bool) -> None:
    """Show a recording."""
    with server() as speakr:
        found = speakr.recording(recording_id, with_texts=as_json)
        status = None if as_json else speakr.status(recording_id)
        notes = None if as_json else speakr.notes(recording_id)
    if status is None:
        show_json(found)
        return
    facts = {
        "title": found["title"],
        "status": _status(status),
        "uploaded": moment(found["created_at"]),
        "meeting": moment(found["meeting_date"]),
        "length": length(found["audio_duration"]),
        "file": f"{found['original_filename']} ({found['file_size']} bytes)",
        "participants": found["participants"],
        "tags": ", ".join(tag["name"] for tag in found["tags"]),
        "folder": found["folder"]["name"] if found["folder"] else None,
    }
    table([(name, one_line(value)) for name, value in facts.items() if value])
    if notes:
        tell("")
        show_text(plain(notes))


def _status(status: dict[str, Any]) -> str:
    if status["status"] == "FAILED":
        return f"FAILED: {status['error_message']} ({status['error_code']})"
    if status["status"] == "COMPLETED":
        return "COMPLETED"
    place = f", place {status['queue_position']} in the queue" if status["queue_position"] else ""
    return f"{status['status']}, {status['progress']} %{place}"
