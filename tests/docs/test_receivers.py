"""The example receivers, run as a subscriber would, against requests that Speakr signs."""

from __future__ import annotations

import base64
import json
import shutil
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from speakr.domain.clock import now
from speakr.domain.events import EventType
from speakr.domain.signatures import delivery_headers, new_secret
from tests.docs.pages import EXAMPLES
from tests.docs.receivers import MIB, Cgi, Receiver, listening
from tests.docs.tools import NODE, run_javascript

INTERPRETERS = {
    "webhook_receiver.py": sys.executable,
    "webhook_receiver.mjs": NODE,
    "webhook_receiver.sh": shutil.which("openssl") and shutil.which("bash"),
}
"""Where there is no Node its receiver is not run; that the page shows the file is tested elsewhere."""

SECRET = new_secret()
OLD_SECRET = new_secret()


@pytest.fixture(scope="module", params=[name for name, interpreter in INTERPRETERS.items() if interpreter])
def receiver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    script = EXAMPLES / request.param
    if script.suffix == ".sh":
        yield Cgi(script, SECRET, tmp_path_factory.mktemp("receiver"))
        return
    with listening(str(INTERPRETERS[request.param]), script, SECRET) as running:
        yield running


def delivery(
    event_id: str, *, age: timedelta = timedelta(0), secrets: tuple[str, ...] = (SECRET,)
) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of one attempt, as the dispatcher makes them."""
    envelope = {
        "id": event_id,
        "type": "recording.deleted",
        "data": {"recording_id": 7, "title": "Überblick"},
    }
    body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
    headers = delivery_headers(
        event_id=event_id,
        event_type=EventType.RECORDING_DELETED,
        body=body,
        secrets=secrets,
        attempted_at=now() - age,
    )
    return body, headers


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


def test_what_is_genuine_is_taken_once(receiver: Receiver) -> None:
    body, headers = delivery("genuine")
    assert receiver.post(body, headers) == 200
    assert receiver.post(body, headers) == 200
    assert receiver.post(*delivery("next")) == 200
    lines = [receiver.next_line(), receiver.next_line()]
    assert [line.partition(" ")[0] for line in lines] == ["recording.deleted"] * 2
    assert json.loads(lines[0].partition(" ")[2]) == {"recording_id": 7, "title": "Überblick"}


def test_both_secrets_of_a_rotation_will_do(receiver: Receiver) -> None:
    for name, secrets in {"old-first": (OLD_SECRET, SECRET), "new-first": (SECRET, OLD_SECRET)}.items():
        assert receiver.post(*delivery(name, secrets=secrets)) == 200
        receiver.next_line()


def test_a_tampered_body_is_refused(receiver: Receiver) -> None:
    body, headers = delivery("tampered")
    assert receiver.post(body.replace(b":7,", b":8,"), headers) == 401
    assert receiver.post(b"", headers) == 401


def test_a_stale_or_early_attempt_is_refused(receiver: Receiver) -> None:
    assert receiver.post(*delivery("stale", age=timedelta(minutes=5, seconds=5))) == 401
    assert receiver.post(*delivery("early", age=-timedelta(minutes=5, seconds=5))) == 401
    body, headers = delivery("freshened", age=timedelta(minutes=10))
    _, fresh = delivery("freshened")
    assert receiver.post(body, headers | {"webhook-timestamp": fresh["webhook-timestamp"]}) == 401


def test_another_id_or_secret_is_refused(receiver: Receiver) -> None:
    body, headers = delivery("renamed")
    assert receiver.post(body, headers | {"webhook-id": "another"}) == 401
    assert receiver.post(*delivery("foreign", secrets=(OLD_SECRET,))) == 401


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(receiver: Receiver, name: str) -> None:
    body, headers = delivery("bare")
    assert receiver.post(body, without(headers, name)) == 401


@pytest.mark.parametrize("value", ["", "v1,", "v1,\xe4\xf6", "v0 v1,AAAA", "sha256=00"])
def test_a_strange_signature_is_refused(receiver: Receiver, value: str) -> None:
    body, headers = delivery("strange")
    assert receiver.post(body, headers | {"webhook-signature": value}) == 401


@pytest.mark.parametrize("value", ["soon", "1e9", "-5", "\xb2", "9" * 400])
def test_a_strange_time_is_refused(receiver: Receiver, value: str) -> None:
    body, headers = delivery("timeless")
    assert receiver.post(body, headers | {"webhook-timestamp": value}) == 401


def test_too_large_a_body_is_refused(receiver: Receiver) -> None:
    _, headers = delivery("large")
    assert receiver.post_large(2 * MIB, headers) == 413


needs_node = pytest.mark.skipif(NODE is None, reason="there is no Node here")


def check_in_n8n(body: bytes, headers: dict[str, str]) -> Any:
    """Run the Code node as n8n does: the body of an async function, with what it lends to such a node."""
    code = (EXAMPLES / "webhook_check_n8n.js").read_text()
    lend = """
        const $env = { SPEAKR_WEBHOOK_SECRET: given.secret };
        const $input = { first: () => ({ json: { headers: given.headers } }) };
        const helpers = {
          getBinaryDataBuffer: async (index, name) => {
            if (index !== 0 || name !== "data") throw new Error("no such file");
            return Buffer.from(given.body, "base64");
          },
        };
        const node = { helpers };
        const run = new (Object.getPrototypeOf(async () => {}).constructor)("$env", "$input", "require", given.code);
        try {
          return { items: await run.call(node, $env, $input, require) };
        } catch (error) {
          return { error: error.message };
        }
    """
    lowered = {name.lower(): value for name, value in headers.items()}  # as Node shows them
    given = {"code": code, "headers": lowered, "secret": SECRET, "body": base64.b64encode(body).decode()}
    return run_javascript(lend, given)


@needs_node
def test_the_check_in_n8n_lets_through_what_is_genuine() -> None:
    for secrets in ((SECRET,), (OLD_SECRET, SECRET), (SECRET, OLD_SECRET)):
        body, headers = delivery("n8n", secrets=secrets)
        assert check_in_n8n(body, headers) == {"items": [{"json": json.loads(body)}]}


@needs_node
def test_the_check_in_n8n_stops_everything_else() -> None:
    body, headers = delivery("n8n")
    for wrong in (
        (body.replace(b":7,", b":8,"), headers),
        delivery("n8n", secrets=(OLD_SECRET,)),
        delivery("n8n", age=timedelta(minutes=6)),
        delivery("n8n", age=-timedelta(minutes=6)),
        (body, without(headers, "webhook-signature")),
        (body, without(headers, "webhook-timestamp")),
        (body, headers | {"webhook-id": "another"}),
        (body, headers | {"webhook-timestamp": "soon"}),
    ):
        assert check_in_n8n(*wrong) == {"error": "This is not from Speakr, or too old."}
