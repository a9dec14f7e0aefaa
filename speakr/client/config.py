"""Where `speakr login` keeps the server's address and the token, and where commands find them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from speakr.client.errors import ClientError
from speakr.client.transport import clean_url

DEFAULT_URL = "http://127.0.0.1:8899"


class NotLoggedIn(ClientError):
    """There is no token, or none for this server."""


@dataclass(frozen=True, slots=True)
class Login:
    """A server and a token; `token_id` if the token was made by `login`."""

    url: str
    token: str
    token_id: int | None = None


def file() -> Path:
    """Return where a login is kept: in the platform's folder for settings ($XDG_CONFIG_HOME, or ~/.config)."""
    return Path(click.get_app_dir("speakr")) / "client.json"


def uploads_folder() -> Path:
    """Return where addresses of unfinished uploads are kept."""
    return file().parent / "uploads"


def keep(login: Login) -> None:
    """Write a login, readable for this user only from the first byte on."""
    path = file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(asdict(login), out)
        Path(unfinished).replace(path)
    finally:
        Path(unfinished).unlink(missing_ok=True)


def forget() -> None:
    """Remove what is kept."""
    file().unlink(missing_ok=True)


def kept() -> Login | None:
    """Return the kept login."""
    try:
        stored = json.loads(file().read_text("utf-8"))
        return Login(clean_url(stored["url"]), str(stored["token"]), stored.get("token_id"))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, ClientError):
        raise NotLoggedIn(f"{file()} cannot be understood; log in again: speakr login") from None


def in_force(environ: Mapping[str, str] | None = None) -> Login:
    """Return the login that commands use: SPEAKR_URL and SPEAKR_TOKEN go before what `login` kept.

    A kept token is only ever sent to the server it was kept for.
    """
    environ = os.environ if environ is None else environ  # noqa: TID251 - the client has no part in speakr.settings
    url, token = environ.get("SPEAKR_URL"), environ.get("SPEAKR_TOKEN")
    found = None
    if not (url and token):
        found = kept()
    if token:
        return Login(clean_url(url or (found.url if found else DEFAULT_URL)), token)
    if found is None:
        raise NotLoggedIn(
            "You are not logged in; do so with: speakr login (or set SPEAKR_URL and SPEAKR_TOKEN)"
        )
    if url and clean_url(url) != found.url:
        raise NotLoggedIn(f"SPEAKR_URL is {url}, but you logged in to {found.url}; set SPEAKR_TOKEN, too.")
    return found
