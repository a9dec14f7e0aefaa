"""`search`."""

from __future__ import annotations

import html
import re
from itertools import cycle, islice
from typing import Any

import click

from speakr.client.commands.terminal import length, one_line, server, show_json

_MARK = re.compile(r"</?mark>")
_MAX_PER_PAGE = 100


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's JSON, a list.")
def search(words: tuple[str, ...], *, limit: int, as_json: bool) -> None:
    """Search transcripts, summaries, notes and titles, newest recordings first.

    All words must be there. In one argument, quoted for the shell, there may also be phrases, exclusions and
    beginnings: '"quarterly budget" -draft berl*'.
    """
    with server() as speakr:
        found = list(islice(speakr.search(" ".join(words), per_page=min(limit, _MAX_PER_PAGE)), limit))
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
    """Return what was found, its words bold where a terminal shows it. It comes as HTML (docs/api)."""
    pieces = [one_line(html.unescape(piece)) for piece in _MARK.split(text)]
    return "".join(
        click.style(piece, bold=True) if is_marked else piece
        for piece, is_marked in zip(pieces, cycle([False, True]), strict=False)
    )
