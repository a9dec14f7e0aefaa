"""A separate process of `speakr up`: wait until the server is ready, say so, make the sample run.

It reads a JSON message on its input: `url`, `logs`, and for the sample run `token`, `token_id` (the token to
be revoked afterwards, if any) and `engine` (the connector that listens).
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from types import FrameType
from typing import Any

import click
import requests

from speakr.operations import sample_run
from speakr.operations.sample_run import Caller, SampleFailed

_READY_WITHIN_SECONDS = 60.0


def main() -> None:
    """Run, and end quietly on a signal."""
    signal.signal(signal.SIGTERM, _leave)
    message = json.load(sys.stdin)
    began = time.monotonic()
    if not _wait_until_ready(message["url"]):
        click.echo(
            f"The server is not ready after {_READY_WITHIN_SECONDS:.0f} s; see {message['logs']}.", err=True
        )
        return
    click.echo(f"Ready after {time.monotonic() - began:.1f} s. Ctrl-C stops everything.\n")
    if message["token"] is not None:
        _make_sample_run(message)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)  # so that the temporary webhook is taken down on the way out


def _wait_until_ready(url: str) -> bool:
    """Ask /readyz until it answers 200."""
    deadline = time.monotonic() + _READY_WITHIN_SECONDS
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.RequestException):
                if session.get(f"{url}/readyz", timeout=10).ok:
                    return True
            time.sleep(0.1)
    return False


def _make_sample_run(message: dict[str, Any]) -> None:
    caller = Caller(message["url"], message["token"])
    try:
        sample_run.run(caller, engine=message["engine"])
    except SampleFailed as failure:
        click.echo(
            f"\nThe sample run failed. {failure} The server goes on serving; see {message['logs']}.", err=True
        )
    finally:
        if message["token_id"] is not None:
            with contextlib.suppress(SampleFailed):
                caller.call("DELETE", f"/api/v1/tokens/{message['token_id']}")
        caller.close()
    click.echo(f"\nServing at {message['url']}")


if __name__ == "__main__":
    main()
