"""examples/node-red/flow.json: its functions read what the server sends, and run if there is Node."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from speakr.domain.clock import now
from speakr.domain.signatures import new_secret
from tests.conftest import Person
from tests.docs.pages import EXAMPLES
from tests.docs.tools import NODE, SERVER, SUMMARY_READY, at, delivery, nodes, run_javascript

FLOW = nodes(EXAMPLES / "node-red" / "flow.json")
FUNCTIONS = {name: node["func"] for name, node in FLOW.items() if node["type"] == "function"}
SECRET, OLD_SECRET = new_secret(), new_secret()

HARNESS = """
    const crypto = require("crypto");
    const context = {};
    const errors = [];
    const run = new Function("msg", "env", "context", "node", "crypto", given.code);
    const outcomes = given.messages.map((msg) => {
        if (typeof msg.hex === "string") msg.payload = Buffer.from(msg.hex, "hex");
        return run(
            msg,
            { get: (name) => given.env[name] },
            { get: (name) => context[name], set: (name, value) => { context[name] = value; } },
            { error: (text) => errors.push(text) },
            given.libs.includes("crypto") ? crypto : undefined,
        ) ?? null;
    });
    return { outcomes, errors };
"""


def run(name: str, *messages: dict[str, Any], **env: str) -> dict[str, Any]:
    """Send messages through a function of the flow; return what it sent on, and its errors."""
    libs = [lib["module"] for lib in FLOW[name]["libs"]]
    known = {"SPEAKR_URL": SERVER, "SPEAKR_TOKEN": "a-token", "SPEAKR_WEBHOOK_SECRET": SECRET, **env}
    code = FUNCTIONS[name]
    found: dict[str, Any] = run_javascript(
        HARNESS, {"code": code, "libs": libs, "env": known, "messages": list(messages)}
    )
    return found


def request(body: str, headers: dict[str, str]) -> dict[str, Any]:
    return {"hex": body.encode().hex(), "req": {"headers": headers}}


def fields(name: str) -> set[str]:
    """Return what a function reads of a message's payload."""
    return set(re.findall(r"msg\.payload\??\.(\w+(?:\.recording_id)?)", FUNCTIONS[name]))


def test_functions_read_fields_that_exist(alice: Person, upload) -> None:
    upload(alice)
    page = alice.get("/api/v1/recordings?per_page=100&page=1").json
    refusal = alice.get("/api/v1/recordings?page=0")
    assert refusal.status_code == 400
    samples = {
        "Drop repetitions": [SUMMARY_READY],
        "Summary ready?": [SUMMARY_READY],
        "Another page?": [page, refusal.json],
    }
    for name in FUNCTIONS:
        for field in fields(name):
            assert any(_has(sample, field) for sample in samples[name]), (name, field)
    assert "const { page, has_next } = msg.payload.pagination;" in FUNCTIONS["Another page?"]
    assert (page["pagination"]["page"], page["pagination"]["has_next"]) == (1, False)


def _has(sample: dict[str, Any], field: str) -> bool:
    try:
        at(sample, field)
    except KeyError:
        return False
    return True


def test_the_check_is_over_the_bytes_and_in_constant_time() -> None:
    """Holds also where there is no Node to run it."""
    entrance, check = FLOW["Speakr calls"], FLOW["Check the signature"]
    assert (entrance["method"], entrance["skipBodyParsing"]) == ("post", True)
    assert entrance["wires"] == [[check["id"]]]
    assert check["libs"] == [{"var": "crypto", "module": "crypto"}]
    assert "timingSafeEqual" in check["func"]
    assert check["wires"] == [[FLOW["Drop repetitions"]["id"]], [FLOW["Answer"]["id"]]]
    assert FLOW["Answer"]["statusCode"] == ""  # so it takes the one of the message


def test_requests_are_made_as_the_api_wants_them(alice: Person, upload) -> None:
    """Holds also where there is no Node to run it."""
    methods = {node["name"]: node["method"] for node in FLOW.values() if node["type"] == "http request"}
    assert methods.pop("POST /recordings/upload") == "POST"
    assert {*methods.values()} == {"GET"}
    form = FUNCTIONS["Make the form"]
    assert "msg.payload = { title: filename, file: {" in form
    first = upload(alice, title="meeting.mp3", headers={"Idempotency-Key": "e7b1c0ffee"})
    again = upload(alice, title="meeting.mp3", headers={"Idempotency-Key": "e7b1c0ffee"})
    assert '"Idempotency-Key": msg._msgid' in form
    assert first.json["id"] == again.json["id"]


if NODE is not None:

    def test_what_is_genuine_is_passed_on_and_answered() -> None:
        found = run(
            "Check the signature",
            request(*delivery(SUMMARY_READY, SECRET)),
            request(*delivery(SUMMARY_READY, OLD_SECRET, SECRET)),
            request(*delivery(SUMMARY_READY, SECRET, OLD_SECRET)),
        )
        for event, answer in found["outcomes"]:
            assert event == {"payload": SUMMARY_READY}
            assert (answer["statusCode"], answer["payload"]) == (200, "")

    def test_what_is_not_is_refused() -> None:
        body, headers = delivery(SUMMARY_READY, SECRET)
        stale = delivery(SUMMARY_READY, SECRET, at_time=now() - timedelta(minutes=6))
        found = run(
            "Check the signature",
            request(body.replace(":7,", ":8,"), headers),
            request("", headers),
            request(*delivery(SUMMARY_READY, OLD_SECRET)),
            request(*stale),
            request(stale[0], stale[1] | {"webhook-timestamp": headers["webhook-timestamp"]}),
            request(body, headers | {"webhook-id": "another"}),
            request(body, headers | {"webhook-signature": ""}),
            request(body, headers | {"webhook-timestamp": "soon"}),
            request(body, {}),
        )
        assert [(event, answer["statusCode"]) for event, answer in found["outcomes"]] == [(None, 401)] * 9

    def test_without_a_secret_speakr_is_asked_to_come_again() -> None:
        found = run("Check the signature", request(*delivery(SUMMARY_READY, "")), SPEAKR_WEBHOOK_SECRET="")
        ((event, answer),) = found["outcomes"]
        assert (event, answer["statusCode"]) == (None, 503)
        assert found["errors"] == ["SPEAKR_WEBHOOK_SECRET is not set"]

    def test_a_body_that_was_parsed_before_is_not_left_without_an_answer() -> None:
        _, headers = delivery(SUMMARY_READY, SECRET)
        found = run("Check the signature", {"payload": SUMMARY_READY, "req": {"headers": headers}})
        ((event, answer),) = found["outcomes"]
        assert (event, answer["statusCode"]) == (None, 503)
        assert found["errors"] == ["The body has been parsed; that cannot be checked"]

    def test_a_repetition_is_dropped() -> None:
        message = {"payload": SUMMARY_READY}
        other = {"payload": SUMMARY_READY | {"id": "another"}}
        found = run("Drop repetitions", message, message, other, message)
        assert [one and one["payload"]["id"] for one in found["outcomes"]] == [
            SUMMARY_READY["id"],
            None,
            "another",
            None,
        ]

    def test_the_summary_is_asked_for_when_it_is_ready(alice: Person, upload) -> None:
        recording_id = upload(alice).json["id"]
        ready = SUMMARY_READY | {"data": {"recording_id": recording_id}}
        found = run("Summary ready?", {"payload": ready}, {"payload": ready | {"type": "recording.created"}})
        asked, nothing = found["outcomes"]
        assert nothing is None
        assert asked["headers"] == {"Authorization": "Bearer a-token"}
        assert alice.get(asked["url"].removeprefix(SERVER)).json == {
            "summary": None,
            "has_summary": False,
            "sources": [],
            "coverage": None,
            "stale": False,
        }

    def test_all_pages_are_asked_for(alice: Person, upload) -> None:
        """The pages are of one recording here."""
        sent = [upload(alice, title=title).json["id"] for title in ("one", "two")]
        (message,) = run("First page", {})["outcomes"]
        asked = []
        while True:
            asked.append(message["url"])
            answer = alice.get(message["url"].removeprefix(SERVER).replace("per_page=100", "per_page=1"))
            message |= {"statusCode": answer.status_code, "payload": answer.json, "headers": {}}
            ((following, everything),) = run("Another page?", message)["outcomes"]
            if following is None:
                break
            message = following
            assert message["headers"] == {"Authorization": "Bearer a-token"}
        assert [url.rpartition("page=")[2] for url in asked] == ["1", "2"]
        assert sorted(one["id"] for one in everything["payload"]) == sorted(sent)

    def test_a_refusal_is_reported(alice: Person) -> None:
        answer = alice.get("/api/v1/recordings?page=0")
        found = run("Another page?", {"recordings": [], "statusCode": 400, "payload": answer.json})
        assert found["outcomes"] == [None]
        assert found["errors"] == [f"400: {answer.json['error']}"]
