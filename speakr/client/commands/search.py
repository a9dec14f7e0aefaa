"""`search`."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import click

from speakr.client.commands.terminal import length, one_line, server, show_json

_MARKED = re.compile(r"<mark>(.*?)</mark>")
_MOST_PER_PAGE = 100


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's JSON, a list.")
def search(words: tuple[str, ...], *, limit: int, as_json: bool) -> None:
    """Search transcripts, summaries, notes and titles."""
    with server() as speakr:
        found = list(islice(speakr.search(" ".join(words), per_page=min(limit, _MOST_PER_PAGE)), limit))
    if as_json:
        show_json(found)
        return
    for result in found:
        click.echo(f"{result['recording']['id']}  {one_line(result['recording']['title'])}")
        for match in result["matches"]:
            click.echo(f"    {_where(match)}  {_snippet(match['snippet'])}")


def _where(match: dict[str, Any]) -> str:
    start = match.get("start_time")
    return str(match["field"]) if start is None else f"{match['field']} {length(start)}"


def _snippet(text: str) -> str:
    """Return what was found, its words bold where a terminal shows it."""
    return _MARKED.sub(lambda found: click.style(found[1], bold=True), one_line(text))
