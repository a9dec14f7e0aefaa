"""examples/n8n: the workflows evaluated here, their expressions with Node if there is one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from speakr.domain.signatures import new_secret
from tests.conftest import Person, multipart, wav
from tests.docs.pages import EXAMPLES
from tests.docs.tools import NODE, SERVER, SUMMARY_READY, delivery, nodes, run_javascript

FOLDER = EXAMPLES / "n8n"
LIST, UPLOAD, WEBHOOK = (nodes(FOLDER / name) for name in ("list-all.json", "upload.json", "webhook.json"))
BEARER = {"authentication": "genericCredentialType", "genericAuthType": "httpBearerAuth"}


def parameters(node: dict[str, Any], name: str) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in node["parameters"][name]["parameters"]}


def wired(workflow: str) -> dict[str, list[list[str]]]:
    """Return to which nodes each output of each node leads."""
    connections = json.loads((FOLDER / workflow).read_text())["connections"]
    return {
        name: [[to["node"] for to in output] for output in outputs["main"]]
        for name, outputs in connections.items()
    }


@pytest.mark.parametrize("workflow", [LIST, UPLOAD, WEBHOOK], ids=["list-all", "upload", "webhook"])
def test_requests_take_the_credential(workflow: dict[str, dict[str, Any]]) -> None:
    (request,) = [node for node in workflow.values() if node["type"] == "n8n-nodes-base.httpRequest"]
    assert request["parameters"].items() >= BEARER.items()
    assert request["credentials"]["httpBearerAuth"]["name"] == "Speakr"
    assert request["retryOnFail"] is True


def test_the_list_ends_with_the_last_page(alice: Person, upload) -> None:
    """The pages are of one recording here."""
    sent = [upload(alice, title=title).json["id"] for title in ("one", "two")]
    node = LIST["All pages"]
    assert parameters(node, "queryParameters") == {"per_page": "100"}
    turning = node["parameters"]["options"]["pagination"]["pagination"]
    assert turning["parameters"]["parameters"] == [
        {"type": "qs", "name": "page", "value": "={{ $pageCount + 1 }}"}
    ]
    assert turning["completeExpression"] == "={{ !$response.body.pagination.has_next }}"
    items, page_count, complete = [], 0, False
    while not complete:
        address = node["parameters"]["url"].removeprefix(SERVER)
        body = alice.get(address, query_string={"per_page": 1, "page": page_count + 1}).json
        items += body[LIST["One item each"]["parameters"]["fieldToSplitOut"]]
        page_count += 1
        complete = not body["pagination"]["has_next"]
    assert page_count == 2
    assert sorted(item["id"] for item in items) == sorted(sent)


def test_an_upload_that_is_tried_again_is_stored_once(alice: Person) -> None:
    node = UPLOAD["Upload"]
    assert parameters(node, "headerParameters") == {
        "Idempotency-Key": "={{ $execution.id }}-{{ $itemIndex }}"
    }
    file, title = node["parameters"]["bodyParameters"]["parameters"]
    assert (file["parameterType"], file["name"], file["inputDataFieldName"]) == (
        "formBinaryData",
        "file",
        "Recording",
    )
    labels = [field["fieldLabel"] for field in UPLOAD["Choose a file"]["parameters"]["formFields"]["values"]]
    assert labels == [file["inputDataFieldName"], "Title"]
    assert title["value"] == "={{ $json.Title ?? '' }}"
    body, content_type = multipart(wav(), "meeting.wav", {title["name"]: ""})  # the title may be empty
    answers = [
        alice.post(
            node["parameters"]["url"].removeprefix(SERVER),
            data=body,
            content_type=content_type,
            headers={"Idempotency-Key": "12-0"},
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json["id"] == answers[1].json["id"]
    assert alice.get("/api/v1/recordings").json["pagination"]["total"] == 1


def test_the_pause_between_uploads_keeps_to_the_limit() -> None:
    batch = UPLOAD["Upload"]["parameters"]["options"]["batching"]["batch"]
    assert (batch["batchSize"], batch["batchInterval"]) == (1, 6000)  # ten a minute


HEADERS = "$('Speakr calls').item.json.headers"


def test_the_signature_is_computed_as_speakr_does() -> None:
    """Holds also where there is no Node to evaluate the expressions."""
    assert WEBHOOK["Speakr calls"]["parameters"]["options"] == {"rawBody": True}
    text = WEBHOOK["Body as it came"]["parameters"]
    assert (text["operation"], text["destinationKey"], text["options"]["encoding"]) == (
        "text",
        "body",
        "utf8",
    )
    crypto = WEBHOOK["HMAC"]["parameters"]
    assert (crypto["action"], crypto["type"], crypto["encoding"]) == ("hmac", "SHA256", "base64")
    assert crypto["value"] == (
        f"={{{{ {HEADERS}['webhook-id'] }}}}.{{{{ {HEADERS}['webhook-timestamp'] }}}}.{{{{ $json.body }}}}"
    )
    secret = new_secret()
    body, headers = delivery(SUMMARY_READY, secret)
    value = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}"
    digest = base64.b64encode(hmac.new(secret.encode(), value.encode(), hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"].split(" ") == [f"v1,{digest}"]


def test_only_what_is_genuine_goes_on() -> None:
    wires = wired("webhook.json")
    assert wires["Genuine and fresh?"] == [["200", "What happened"], ["401"]]
    codes = {name: WEBHOOK[name]["parameters"]["options"]["responseCode"] for name in ("200", "401")}
    assert codes == {"200": 200, "401": 401}
    # n8n runs what stands higher first: the answer goes out before the work begins.
    assert WEBHOOK["200"]["position"][1] < WEBHOOK["What happened"]["position"][1]


def test_the_event_is_read_where_it_is() -> None:
    assert WEBHOOK["What happened"]["parameters"]["jsonOutput"] == "={{ $json.body }}"
    assert WEBHOOK["Drop repetitions"]["parameters"]["dedupeValue"] == "={{ $json.id }}"
    (condition,) = WEBHOOK["Summary ready?"]["parameters"]["conditions"]["conditions"]
    assert (condition["leftValue"], condition["rightValue"]) == ("={{ $json.type }}", SUMMARY_READY["type"])
    assert WEBHOOK["Fetch the summary"]["parameters"]["url"].endswith(
        "/{{ $json.data.recording_id }}/summary"
    )
    assert {"id", "type", "data"} <= set(SUMMARY_READY)
    assert "recording_id" in SUMMARY_READY["data"]


EVALUATE = """
    return given.cases.map(({ headers, digest }) => {
        const $ = () => ({ item: { json: { headers } } });
        return given.conditions.map((code) => new Function("$", "$json", `return ${code}`)($, { digest }));
    });
"""

if NODE is not None:

    def test_the_conditions_distinguish_true_from_false() -> None:
        conditions = WEBHOOK["Genuine and fresh?"]["parameters"]["conditions"]
        assert conditions["combinator"] == "and"
        assert {one["operator"]["operation"] for one in conditions["conditions"]} == {"true"}
        codes = [one["leftValue"].removeprefix("={{").removesuffix("}}") for one in conditions["conditions"]]
        now = str(int(time.time()))
        genuine = {"webhook-signature": "v1,abc=", "webhook-timestamp": now}
        cases: list[tuple[dict[str, str], list[bool]]] = [
            (genuine, [True, True]),
            (genuine | {"webhook-signature": "v1,old= v1,abc="}, [True, True]),
            (genuine | {"webhook-signature": "v1,xyz="}, [False, True]),
            (genuine | {"webhook-signature": ""}, [False, True]),
            (genuine | {"webhook-timestamp": str(int(now) - 360)}, [True, False]),
            (genuine | {"webhook-timestamp": "soon"}, [True, False]),
            ({}, [False, False]),
        ]
        found = run_javascript(
            EVALUATE,
            {"conditions": codes, "cases": [{"headers": headers, "digest": "abc="} for headers, _ in cases]},
        )
        assert found == [wanted for _, wanted in cases]
