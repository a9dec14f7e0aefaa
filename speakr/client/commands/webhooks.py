"""`webhooks` and its commands."""

from __future__ import annotations

import click

from speakr.client.commands.terminal import moment, one_line, server, show_json, table, tell, warn

_ID = click.argument("webhook_id", metavar="ID", type=click.IntRange(1))
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the server's JSON.")


@click.group()
def webhooks() -> None:
    """Look after your webhooks."""


@webhooks.command("list")
@_AS_JSON
def list_(*, as_json: bool) -> None:
    """List your webhooks."""
    with server() as speakr:
        found = speakr.webhooks()
    if as_json:
        show_json(found)
        return
    table(
        [
            (
                str(each["id"]),
                _state(each["enabled"], each["auto_paused"]),
                each["url"],
                one_line(each["name"]),
            )
            for each in found
        ]
    )


def _state(is_enabled: bool, is_paused: bool) -> str:  # noqa: FBT001 - two facts, named at the only caller
    return "on" if is_enabled else "paused" if is_paused else "off"


@webhooks.command()
@click.argument("name")
@click.argument("url")
@click.option("--event", "events", multiple=True, required=True, help="An event to send; may be repeated.")
@click.option("--allow-http", is_flag=True, help="Let the address be an http:// one.")
@_AS_JSON
def create(name: str, url: str, *, events: tuple[str, ...], allow_http: bool, as_json: bool) -> None:
    """Add a webhook, and print its secret this once."""
    with server() as speakr:
        made = speakr.create_webhook(name, url, events, allow_http=allow_http)
    if as_json:
        show_json(made)
        return
    warn(f"Webhook {made['id']} is made. Keep this secret; it is not shown again.")
    click.echo(made["secret"])


@webhooks.command()
@_ID
def delete(webhook_id: int) -> None:
    """Remove a webhook and its deliveries."""
    with server() as speakr:
        speakr.delete_webhook(webhook_id)
    tell(f"Webhook {webhook_id} is removed.")


@webhooks.command()
@_ID
def test(webhook_id: int) -> None:
    """Have a test event sent; `deliveries` tells how it went."""
    with server() as speakr:
        delivery = speakr.test_webhook(webhook_id)
    tell(f"Delivery {delivery['id']} is queued.")


@webhooks.command("rotate-secret")
@_ID
def rotate_secret(webhook_id: int) -> None:
    """Give a webhook a new secret, and print it this once."""
    with server() as speakr:
        made = speakr.rotate_webhook_secret(webhook_id)
    warn("Keep this secret; it is not shown again. For a day the old one signs, too.")
    click.echo(made["secret"])


@webhooks.command()
@_ID
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="At most so many.")
@_AS_JSON
def deliveries(webhook_id: int, *, limit: int, as_json: bool) -> None:
    """List what was sent, newest first."""
    with server() as speakr:
        found = speakr.deliveries(webhook_id, limit=limit)
    if as_json:
        show_json(found)
        return
    table(
        [
            (
                str(each["id"]),
                each["status"],
                moment(each["created_at"]),
                each["event_type"],
                one_line(str(each["response_status"] or each["error_message"] or "")),
            )
            for each in found
        ]
    )
