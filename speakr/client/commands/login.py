"""`login`, `logout`, `whoami`, `verify-email`."""

from __future__ import annotations

import socket
import sys

import click

from speakr.client import config
from speakr.client.api import Speakr
from speakr.client.commands.terminal import Misused, report_errors, server, tell, warn
from speakr.client.errors import ApiError, ClientError
from speakr.client.transport import clean_url

WHAT_FOR = {
    "read": "list, show, transcript, summary, search",
    "write": "upload, watch",
    "process": "transcribing and summarising again",
    "webhooks": "webhooks",
}
"""Purpose of each scope. `admin` is for admins only, so its absence is not reported."""


@click.command()
@click.argument("url", required=False)
@click.option("--token", help="An API token. On a command line others may see it; better be asked for it.")
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input.")
@click.option("--username", help="Log in with a password instead, and have a token made.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--register", is_flag=True, help="With --username: create the account first.")
def login(
    url: str | None,
    *,
    token: str | None,
    token_stdin: bool,
    username: str | None,
    password_stdin: bool,
    register: bool,
) -> None:
    """Log in to a server, and keep its address and a token for the other commands.

    The token is kept in a file that only you can read. SPEAKR_URL and SPEAKR_TOKEN go before it.
    """
    if username is not None and (token is not None or token_stdin):
        raise click.UsageError("Give a token or a user name, not both.")
    if (password_stdin or register) and username is None:
        raise click.UsageError("--password-stdin and --register need --username.")
    try:
        address = clean_url(url or click.prompt("Address of the server", default=config.DEFAULT_URL))
    except ClientError as error:
        raise Misused(str(error)) from None
    with report_errors():
        if username is not None:
            made = _with_password(address, username, is_piped=password_stdin, is_new=register)
        else:
            made = config.Login(address, _token(token, is_piped=token_stdin))
        with Speakr(made.url, made.token) as speakr:
            _introduce(speakr, made.token)
        config.keep(made)


def _token(given: str | None, *, is_piped: bool) -> str:
    if is_piped:
        given = sys.stdin.readline().strip()
    found: str = given or click.prompt("API token", hide_input=True)
    if not found.isascii() or not found.isprintable() or " " in found:
        raise Misused("This is no API token.")
    return found


def _with_password(url: str, username: str, *, is_piped: bool, is_new: bool) -> config.Login:
    password = sys.stdin.readline().rstrip("\r\n") if is_piped else click.prompt("Password", hide_input=True)
    if is_new:
        Speakr.register(url, username, password)
    made = Speakr.create_token(url, username, password, name=f"speakr on {socket.gethostname()}")
    return config.Login(url, made["token"], made["id"])


@click.command()
def logout() -> None:
    """Forget the server and the token; a token that `login` made is revoked, too."""
    with report_errors():
        kept = config.kept()
    if kept is not None and kept.token_id is not None:
        try:
            with Speakr(kept.url, kept.token) as speakr:
                speakr.revoke_token(kept.token_id)
        except ClientError as error:
            warn(f"The token could not be revoked: {error}")
    config.forget()
    tell("You are not logged in." if kept is None else f"Logged out of {kept.url}.")


@click.command()
def whoami() -> None:
    """Tell who you are, and where."""
    with server() as speakr:
        _introduce(speakr, config.in_force().token)


@click.command()
@click.argument("code", required=False)
def verify_email(code: str | None) -> None:
    """Verify your e-mail address with the code that was sent to it. Without a code, have one sent."""
    with server() as speakr:
        if code is None:
            tell(f"A code is on its way to {speakr.request_email_verification()['email']}.")
        else:
            tell(f"{speakr.verify_email(code)['email']} is verified.")


def _introduce(speakr: Speakr, token: str) -> None:
    """Tell whose token it is and what it does not allow.

    Raises:
        ClientError: the token is not valid.

    """
    try:
        me = speakr.me()
    except ApiError as error:
        if error.code != "scope_missing":
            raise
        tell(f"The token is good at {speakr.base_url}.")
        _tell_missing({"write", "process", "webhooks"})  # it cannot ask what it has
        return
    tell(f"You are {me['username']}{' (an admin)' if me['is_admin'] else ''} at {speakr.base_url}.")
    scopes = _scopes(speakr, token)
    if scopes is not None:
        _tell_missing(scopes)


def _scopes(speakr: Speakr, token: str) -> set[str] | None:
    """Return the scopes of this token, found by its first characters; None if several tokens match."""
    found = [
        each["scopes"]
        for each in speakr.tokens()
        if not each["revoked"] and each["prefix"] and token.startswith(each["prefix"])
    ]
    return set(found[0]) if len(found) == 1 else None


def _tell_missing(scopes: set[str]) -> None:
    for scope, commands in WHAT_FOR.items():
        if scope not in scopes:
            warn(f"This token lacks the scope {scope}: {commands} will be refused.")
