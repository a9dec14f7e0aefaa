"""What all commands share: the server to ask, failures as sentences, text made fit for a terminal."""

from __future__ import annotations

import errno
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click

from speakr.client import config
from speakr.client.api import Speakr
from speakr.client.errors import ApiError, ClientError

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LINE_BREAKS = re.compile(r"[\t\n]+")
_SERVER_ERRORS = 500
_TOKEN_TROUBLE = {"not_authenticated", "invalid_token", "expired_token"}


class Failed(click.ClickException):
    """The server refused, or could not: exit code 1."""


class Misused(click.ClickException):
    """It cannot be done as it was asked for: exit code 2."""

    exit_code = 2


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn what goes wrong into one sentence on standard error."""
    try:
        yield
    except config.NotLoggedIn as error:
        raise Misused(str(error)) from None
    except ClientError as error:
        raise Failed(plain(sentence(error))) from None
    except KeyError as error:  # all that is looked up by name here are answers
        raise Failed(f"The answer has no {error}: this is not Speakr, or one of another time.") from error
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader of the output has gone; click exits quietly
            raise
        named = f"{error.filename}: " if error.filename else ""
        raise Misused(plain(f"{named}{error.strerror or error}")) from None


@contextmanager
def server() -> Iterator[Speakr]:
    """Ask the server that the user is logged in to."""
    with report_errors():
        login = config.in_force()
        with Speakr(login.url, login.token) as speakr:
            yield speakr


def sentence(error: ClientError) -> str:
    """Return what to tell the user."""
    if not isinstance(error, ApiError):
        return str(error)
    if error.code in _TOKEN_TROUBLE:
        return f"{error.message} Log in again: speakr login"
    if error.status >= _SERVER_ERRORS and error.request_id:
        return f"{error.message} (request {error.request_id})"
    return error.message


# -- showing


def plain(text: str) -> str:
    """Return text that can do nothing to a terminal; titles and transcripts may come from strangers."""
    return _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n")).encode(errors="replace").decode()


def one_line(text: str | None) -> str:
    """Return text as a single line."""
    return _LINE_BREAKS.sub(" ", plain(text or ""))


def tell(text: str) -> None:
    """Print a line for people."""
    click.echo(plain(text))


def warn(text: str) -> None:
    """Print a line about trouble."""
    click.echo(plain(text), err=True)


def show_text(text: str) -> None:
    """Print a text as it is, or made harmless if a terminal is to show it."""
    shown = plain(text) if sys.stdout.isatty() else text
    click.echo(shown, nl=not shown.endswith("\n"))


def show_json(value: Any) -> None:
    """Print JSON for programs."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    click.echo(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode(errors="replace").decode())


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; the last one may be as wide as it likes."""
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[-1]]).rstrip())


def moment(text: str | None) -> str:
    """Return a time as the user's clock shows it."""
    return "" if text is None else f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}"


def length(seconds: float | None) -> str:
    """Return a length of time, or of a recording, as 1:02:03 or 2:03."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
