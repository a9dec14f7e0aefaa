"""The commands of the operator and of the client: `speakr`, or `python -m speakr`.

Commands import what they need when they run: `speakr up` must stay small while the server runs, and a usage error
should be reported at once.
"""
# ruff: noqa: PLC0415 - imports inside commands, for the reason above

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import click

from speakr import __version__, private_files
from speakr.operations.errors import sentence_for
from speakr.settings import Settings
from speakr.speech_settings import LANGUAGES

if TYPE_CHECKING:
    from flask import Flask


class _Refusal(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    """Reports errors of operators in a sentence (exit code 2); other errors keep their traceback.

    The client's commands are found by name and imported when they are called.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        from speakr.client.commands import COMMANDS

        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found is None:
            from speakr.client.commands import COMMANDS

            found = resolve_name(COMMANDS[cmd_name]) if cmd_name in COMMANDS else None
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            sentence = sentence_for(error)
            if sentence is None:
                raise
            raise _Refusal(sentence) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="speakr")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Run and look after a Speakr server, or use one that runs elsewhere (login, upload, list ...)."""
    if ctx.invoked_subcommand in main.commands:  # what the client's commands save is the user's own
        private_files.make_private()


def _core_app(settings: Settings | None = None) -> Flask:
    from speakr.app import create_core_app

    return create_core_app(settings or Settings.from_env())


@contextlib.contextmanager
def _app_context(settings: Settings | None = None) -> Iterator[None]:
    """Provide an app context for one command, and close its connections afterwards."""
    from speakr.backends import get_backends
    from speakr.db import db

    with _core_app(settings).app_context():
        try:
            yield
        finally:
            db.session.remove()
            db.engine.dispose()
            get_backends().redis.close()
            get_backends().memory.close()


# -- processes


@main.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on; default 8899, or a free one if that is taken.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder; default SPEAKR_DATA, or ./data.",
)
@click.option(
    "--sample/--no-sample", default=True, help="Send the bundled recording through an empty library."
)
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Number of workers; default SPEAKR_WORKERS, or 2."
)
@click.option("--verbose", is_flag=True, help="Show the logs of all processes here too.")
def up(
    port: int | None, host: str, data: Path | None, *, sample: bool, workers: int | None, verbose: bool
) -> None:
    """Start a whole server here: Redis, database, web, workers, webhook dispatcher."""
    from speakr.operations.up import UpOptions
    from speakr.operations.up import up as start

    start(
        UpOptions(host=host, port=port, data=data, workers=workers, wants_sample=sample, is_verbose=verbose),
        click.echo,
    )


@main.command()
def work() -> None:
    """Run one worker until a signal stops it."""
    from speakr.jobs.worker import work as run

    run(_core_app())


@main.command("dispatch-webhooks")
def dispatch_webhooks() -> None:
    """Send webhook deliveries until a signal stops it. One process is enough; more do no harm."""
    from speakr.webhooks import dispatcher

    dispatcher.run(_core_app())


# -- models


@main.group()
def models() -> None:
    """Prepare the models that the embedded engine uses."""


@models.command("list")
def list_models() -> None:
    """List the models, their sizes and whether they are prepared."""
    from speakr.operations import model_preparation

    for line in model_preparation.listed(Settings.from_env().models_folder):
        click.echo(line)


@models.command("prepare")
@click.argument("names", nargs=-1)
@click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False), help="Folder; default SPEAKR_MODELS."
)
@click.option(
    "--languages",
    type=click.Choice(LANGUAGES),
    default="all",
    envvar="SPEAKR_LANGUAGES",
    help="en leaves out models that only other languages than English need.",
)
def prepare_models(names: tuple[str, ...], into: Path | None, languages: str) -> None:
    """Download and convert models that are missing: all that the languages need, or the named ones."""
    from speakr.operations import model_preparation

    folder = into or Settings.from_env().models_folder
    model_preparation.prepare(names or model_preparation.needed(languages), folder, click.echo)


# -- upkeep


@main.command()
def migrate() -> None:
    """Migrate the database to this version."""
    from speakr.schema import upgrade

    settings = Settings.from_env()
    for path in private_files.tighten(settings.data_dir, settings.resolved_database_url):
        click.echo(f"{path} is no longer readable by other users.", err=True)
    upgrade(settings.resolved_database_url)
    click.echo("The database is up to date.")


@main.command("rescue-jobs")
def rescue_jobs() -> None:
    """Requeue the work of dead workers now; workers do the same every few seconds."""
    from speakr.services.system import maintenance

    with _app_context():
        maintenance.run_maintenance()
    click.echo("Expired leases are requeued and lost notifications repeated.")


@main.command()
@click.option("--run", "is_meant", is_flag=True, help="Delete them; without it, only list them.")
def retention(*, is_meant: bool) -> None:
    """List recordings past retention; the server removes them every ten minutes by itself."""
    from speakr.operations import upkeep

    with _app_context():
        for line in upkeep.retention(is_meant=is_meant):
            click.echo(line)


@main.command("remove-orphans")
@click.option("--dry-run", is_flag=True, help="List what would be removed, and remove nothing.")
@click.option("--take-over", is_flag=True, help="Make this database the owner of the storage first.")
def remove_orphans(*, dry_run: bool, take_over: bool) -> None:
    """Remove what killed uploads left in the storage. A running server does so every six hours."""
    from speakr.operations import upkeep

    with _app_context():
        for line in upkeep.remove_orphans(dry_run=dry_run, take_over=take_over):
            click.echo(line)


@main.command()
def reindex() -> None:
    """Rebuild the search index from the texts while the server runs. Usually not needed."""
    from speakr.services.search import indexing

    done = 0
    with _app_context():
        for done in indexing.reindex():
            if done % 1000 == 0:
                click.echo(f"{done} recordings ...", err=True)
    click.echo(f"{done} recordings are in the search index.")


@main.command(hidden=True)
@click.option("--sample/--no-sample", default=True)
def prepare(*, sample: bool) -> None:
    """Prepare the database for `up`, which reads the answer from this process's output."""
    from speakr.operations import preparation
    from speakr.schema import upgrade

    settings = Settings.from_env()
    try:
        upgrade(settings.resolved_database_url)
        with _app_context(settings):
            answer = dataclasses.asdict(preparation.prepare(settings, wants_sample=sample))
    except Exception as error:
        answer = {"error": sentence_for(error)}
        if answer["error"] is None:
            raise
    click.echo(json.dumps(answer))


# -- users and settings


@main.command("create-user")
@click.argument("name")
@click.option("--admin", is_flag=True, help="An administrator.")
@click.option("--email")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking."
)
@click.option("--no-password", is_flag=True, help="No password: the user can only use tokens.")
def create_user(
    name: str, *, admin: bool, email: str | None, password_stdin: bool, no_password: bool
) -> None:
    """Add a user."""
    from speakr.operations import accounts

    if no_password:
        password = None
    elif password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with _app_context():
        user_id = accounts.create_user(name, password=password, email=email, is_admin=admin)
    click.echo(f"Made the user {name} (id {user_id}).")


@main.command("create-token")
@click.argument("user")
@click.option("--name", default="Made on the command line", show_default=True)
@click.option(
    "--scopes",
    help="Comma list of read, write, process, webhooks, admin, calendar; default all but the last two.",
)
@click.option("--days", type=click.IntRange(0), default=0, help="Days until it expires; 0 is never.")
def create_token(user: str, name: str, scopes: str | None, days: int) -> None:
    """Make an API token for a user and print it once, alone on standard output."""
    from speakr.operations import accounts

    with _app_context():
        token = accounts.create_token(user, name=name, scopes=scopes, days=days)
    click.echo("Keep this token; it is not shown again.", err=True)
    click.echo(token)


@main.command("set-user")
@click.argument("user")
@click.option(
    "--token-budget", metavar="NUMBER", help="Language model tokens a month; 'default' for the server's."
)
@click.option("--transcription-minutes", metavar="NUMBER", help="Minutes of audio a month, or 'default'.")
@click.option("--storage-mb", metavar="NUMBER", help="Megabytes of audio kept, or 'default'.")
@click.option("--admin/--no-admin", default=None, help="Grant or remove the administrator role.")
@click.option(
    "--active/--no-active",
    default=None,
    help="Enable or disable the user; tokens of a disabled user stop working at once.",
)
@click.option("--password", is_flag=True, help="Ask for a new password.")
@click.option("--password-stdin", is_flag=True, help="Read a new password from standard input.")
@click.option("--email", help="An e-mail address, which is then verified.")
@click.option(
    "--email-verified/--no-email-verified", default=None, help="Send notices to the address, or stop it."
)
def set_user(user: str, *, password: bool, password_stdin: bool, **changes: Any) -> None:
    """Change a user's limits, role and state."""
    from speakr.operations import accounts

    new = None
    if password_stdin:
        new = sys.stdin.readline().rstrip("\r\n")
    elif password:
        new = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with _app_context():
        accounts.set_user(user, password=new, **changes)
    click.echo(f"{user} is changed.")


@main.command("list-users")
def list_users() -> None:
    """List all users with their use of this month and their limits."""
    from speakr.operations import accounts

    with _app_context():
        for line in accounts.list_users():
            click.echo(line)


@main.command("create-group")
@click.argument("name")
@click.option("--description")
def create_group(name: str, description: str | None) -> None:
    """Make an empty group."""
    from speakr.operations import accounts

    with _app_context():
        group_id = accounts.create_group(name, description)
    click.echo(f"Made the group {name} (id {group_id}).")


@main.command("add-member")
@click.argument("group")
@click.argument("user")
@click.option("--admin", is_flag=True, help="As an admin of the group.")
def add_member(group: str, user: str, *, admin: bool) -> None:
    """Add a user to a group, or change a member's role."""
    from speakr.operations import accounts

    with _app_context():
        accounts.add_member(group, user, is_admin=admin)
    click.echo(f"{user} is {'an admin' if admin else 'a member'} of {group}.")


@main.command("set")
@click.argument("name")
@click.argument("value", required=False)
@click.option("--reset", is_flag=True, help="Go back to the default.")
def set_(name: str, value: str | None, *, reset: bool) -> None:
    """Change a system setting while the server runs."""
    from speakr.operations import accounts

    if reset == (value is not None):
        raise click.UsageError("Give a value, or --reset.")
    with _app_context():
        if value is None:
            value = accounts.reset_setting(name)
        else:
            accounts.change_setting(name, value)
    click.echo(f"{name} is now {value}.")


@main.command("list-settings")
def list_settings() -> None:
    """List the system settings, which `speakr set` changes while the server runs."""
    from speakr.operations import accounts

    with _app_context():
        for line in accounts.list_settings():
            click.echo(line)


@main.command("settings")
@click.option("--env-example", "as_env", is_flag=True, help="Print config/env.example instead.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print docs/settings.md instead.")
@click.option(
    "--compose",
    "compose_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Write the names of all settings into this docker-compose.yml instead.",
)
def settings_(*, as_env: bool, as_markdown: bool, compose_file: Path | None) -> None:
    """Print the settings as the server sees them, secrets masked."""
    from speakr.operations import compose_settings, settings_pages

    if compose_file is not None:
        compose_settings.update(compose_file)
        return
    if as_env:
        page = settings_pages.env_example()
    elif as_markdown:
        page = settings_pages.markdown()
    else:
        page = settings_pages.as_seen(Settings.from_env())
    click.echo(page, nl=False)
