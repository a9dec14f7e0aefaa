"""The sample run: send a recording through the whole pipeline over HTTP."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import click
import requests

from speakr.operations.receiver import Receiver
from speakr.operations.sample import RUN_NAME, SAMPLE, SECONDS, TITLE

_WORK_SECONDS = 180.0
_DELIVERY_SECONDS = 30.0
_DONE = "recording.summary.completed"
_FINAL = {"COMPLETED", "FAILED"}
_ABOUT_THE_EMBEDDED_ENGINE = """
  This was the embedded engine: it needs no key. On clear English about one word in thirty is wrong, in other
  languages about one in nine. TRANSCRIPTION_BASE_URL selects another engine, see docs/settings.md."""


class SampleFailed(Exception):
    """The sample run did not end as it should; the message says where."""


class Caller:
    """An HTTP client with a base URL and a token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy for requests to this machine
        self._session.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send a request and return its answer, if it is a good one."""
        arguments.setdefault("timeout", 60)
        try:
            response = self._session.request(method, self._url + path, **arguments)
        except requests.RequestException as error:
            raise SampleFailed(f"The server does not answer {method} {path}.") from error
        if not response.ok:
            raise SampleFailed(
                f"{method} {path} was answered with {response.status_code}: {_reason(response)}"
            )
        return response


def _reason(response: requests.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return response.reason


def run(caller: Caller, *, engine: str) -> None:
    """Upload the sample, show its progress, its texts and the webhook it caused.

    Raises:
        SampleFailed: with the sentence to show.

    """
    with Receiver() as receiver, _subscription(caller, receiver) as refusal:
        with SAMPLE.open("rb") as stream:
            answer = caller.call(
                "POST", "/api/v1/recordings/upload", files={"file": stream}, data={"title": TITLE}
            )
        recording_id = answer.json()["id"]
        began = time.monotonic()
        _watch(caller, recording_id)
        click.echo(f"Done in {time.monotonic() - began:.1f} s.\n")
        _show_texts(caller, recording_id)
        if engine == "embedded":
            click.echo(_ABOUT_THE_EMBEDDED_ENGINE)
        if refusal is not None:
            click.echo(f"\nWebhook: not shown. {refusal}")
        else:
            _show_delivery(receiver, recording_id)


@contextlib.contextmanager
def _subscription(caller: Caller, receiver: Receiver) -> Iterator[str | None]:
    """Make a temporary webhook; yield the reason if the server refuses it."""
    form = {"name": RUN_NAME, "url": receiver.url, "events": [_DONE], "allow_http": True}
    try:
        webhook = caller.call("POST", "/api/v1/webhooks", json=form).json()
    except SampleFailed as error:
        yield str(error)
        return
    receiver.secret = webhook["secret"]
    try:
        yield None
    finally:
        # If this fails too, the next start cleans up.
        with contextlib.suppress(SampleFailed):
            caller.call("DELETE", f"/api/v1/webhooks/{webhook['id']}")


def _watch(caller: Caller, recording_id: int) -> None:
    """Draw a progress bar from the live stream, connecting again if it breaks."""
    deadline = time.monotonic() + _WORK_SECONDS
    with click.progressbar(length=100, label="Sample recording, 17 s of read speech", show_eta=False) as bar:
        while time.monotonic() < deadline:
            for status_event in _live(caller, recording_id):
                bar.update(max(0, _percent(status_event) - bar.pos))
                status = status_event.get("status")
                if status == "FAILED":
                    raise SampleFailed(
                        f"Processing failed: {status_event.get('error_message') or 'no reason given'}"
                    )
                if status in _FINAL:
                    bar.update(100 - bar.pos)
                    return
                if time.monotonic() > deadline:
                    break
            time.sleep(0.5)
    raise SampleFailed(f"It is not done after {_WORK_SECONDS:.0f} s.")


def _percent(status_event: dict[str, Any]) -> int:
    """Return the progress in percent: the given number, or estimated from the end of the last segment."""
    if "end" in status_event:
        return round(95 * min(1.0, float(status_event["end"]) / SECONDS))
    return int(status_event.get("progress") or 0)


def _live(caller: Caller, recording_id: int) -> Iterator[dict[str, Any]]:
    """Yield what the server-sent events about a recording say (WHATWG HTML, section 9.2)."""
    path = f"/api/v1/recordings/{recording_id}/live"
    with contextlib.suppress(requests.RequestException), caller.call("GET", path, stream=True) as stream:
        for line in stream.iter_lines(chunk_size=None):
            if line.startswith(b"data:"):
                yield json.loads(line[5:])


def _show_texts(caller: Caller, recording_id: int) -> None:
    transcript = caller.call("GET", f"/api/v1/recordings/{recording_id}/transcript?format=json").json()
    click.secho("Transcript", bold=True)
    for segment in transcript["segments"]:
        speaker = f"{segment['speaker']}: " if segment.get("speaker") else ""
        click.echo(f"  {segment['start_time']:6.1f} s  {speaker}{segment['sentence']}")
    summary = caller.call("GET", f"/api/v1/recordings/{recording_id}/summary").json()
    click.secho("\nSummary", bold=True)
    for line in (summary["summary"] or "(none)").splitlines():
        click.echo(f"  {line}" if line else "")


def _show_delivery(receiver: Receiver, recording_id: int) -> None:
    envelope = receiver.wait_for(_DONE, _DELIVERY_SECONDS)
    if envelope is None:
        refused = (
            f" {receiver.refused_count} deliveries had a wrong signature." if receiver.refused_count else ""
        )
        raise SampleFailed(f"No genuine webhook came within {_DELIVERY_SECONDS:.0f} s.{refused}")
    if envelope["data"].get("recording_id") != recording_id:
        raise SampleFailed("The webhook spoke of another recording.")
    click.secho("\nWebhook", bold=True)
    click.echo(f"  received {envelope['type']} for recording {recording_id}, signature verified")
