"""examples/zapier: the code steps, run if there is Node, and the polling that the page describes."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from speakr.domain.signatures import new_secret
from tests.conftest import Person, wav
from tests.docs.conftest import Server
from tests.docs.pages import EXAMPLES, read
from tests.docs.tools import NODE, SUMMARY_READY, delivery, run_javascript

CHECK = (EXAMPLES / "zapier" / "check_signature.js").read_text()
UPLOAD = (EXAMPLES / "zapier" / "upload.js").read_text()
PAGE = read("integrations/zapier.md")


def inputs(code: str) -> set[str]:
    """Return the names that a step takes from its Input Data."""
    (names,) = re.findall(r"const \{([^}]*)\} = inputData;", code)
    return {name.partition("=")[0].strip() for name in names.split(",")}


def test_the_page_names_the_input_data() -> None:
    for code in (CHECK, UPLOAD):
        comment = code.partition("const ")[0]
        for name in inputs(code):
            assert re.search(rf"^//.* {name}  ", comment, re.MULTILINE), name
            assert f"`{name}`" in PAGE


def test_the_check_hashes_the_body_and_compares_in_constant_time() -> None:
    """Holds also where there is no Node to run it."""
    assert 'createHmac("sha256", secret).update(body, "utf8").digest("hex")' in CHECK
    assert "timingSafeEqual" in CHECK
    assert {"id", "type", "timestamp", "data"} <= set(SUMMARY_READY)
    assert "const { id, type, timestamp, data } = JSON.parse(body);" in CHECK


def test_polling_brings_the_newest_first_with_the_token_in_the_address(
    alice: Person, upload, work: Callable[[], None]
) -> None:
    rows = dict(re.findall(r"^\| (URL|Key|Deduplication Key) \| `([^`]+)` \|$", PAGE, re.MULTILINE))
    path = rows["URL"].removeprefix("https://speakr.example.com").replace("your-token", alice.token)
    sent = [upload(alice, wav(frequency=frequency)).json["id"] for frequency in (220.0, 330.0)]
    work()
    answer = alice.client.get(path)
    assert answer.status_code == 200
    listed = answer.json[rows["Key"]]
    assert [one[rows["Deduplication Key"]] for one in listed] == sent[::-1]


if NODE is not None:

    def step(code: str, *inputs_of_runs: dict[str, str]) -> list[dict[str, Any]]:
        """Run a code step as Code by Zapier does, once for each Input Data."""
        found: list[dict[str, Any]] = run_javascript(
            """
            const AsyncFunction = (async () => {}).constructor;
            const step = new AsyncFunction("inputData", "require", `let output; ${given.code}; return output;`);
            const outputs = [];
            for (const inputData of given.runs) outputs.push(await step(inputData, require));
            return outputs;
            """,
            {"code": code, "runs": inputs_of_runs},
        )
        return found

    def test_the_check_distinguishes_valid_from_forged() -> None:
        secret = new_secret()
        body, headers = delivery(SUMMARY_READY, secret)
        _, unkeyed = delivery(SUMMARY_READY, "")
        signature = headers["speakr-signature"]
        genuine, *forged = step(
            CHECK,
            {"body": body, "signature": signature, "secret": secret},
            {"body": body.replace(":7,", ":8,"), "signature": signature, "secret": secret},
            {"body": body, "signature": signature, "secret": new_secret()},
            {"body": body, "signature": signature[:-1], "secret": secret},
            {"body": body, "secret": secret},
            {"signature": signature, "secret": secret},
            {"body": body, "signature": unkeyed["speakr-signature"]},
            {},
        )
        event = {name: SUMMARY_READY[name] for name in ("id", "type", "timestamp")}
        assert genuine == {"genuine": "yes", **event, "recording_id": 7, "title": "Überblick «eins»"}
        assert forged == [{"genuine": "no"}] * 7

    def test_a_file_is_uploaded_once(
        serve: Callable[..., Server], make_person: Callable[..., Person]
    ) -> None:
        server = serve()
        person = make_person("carol")
        given = {
            "file": "data:audio/wav;base64," + base64.b64encode(wav()).decode(),
            "name": 'Über "uns".wav',
            "title": "Überblick «eins»",
            "server": server.url,
            "token": person.token,
        }
        first, again = step(UPLOAD, given, given)
        assert first == again
        assert (first["title"], first["status"]) == ("Überblick «eins»", "PENDING")
        (stored,) = person.get("/api/v1/recordings").json["recordings"]
        assert stored["id"] == first["recording_id"]
        assert stored["original_filename"] == "Über _uns_.wav"


def test_the_upload_sends_the_fields_of_the_api(alice: Person, upload) -> None:
    """Holds also where there is no Node to run it."""
    assert set(re.findall(r"name=\"(\w+)\"", UPLOAD)) == {"title", "file"}
    answer = upload(alice, title="Überblick")
    assert answer.status_code == 202
    assert set(re.findall(r"told\.(\w+)", UPLOAD)) - {"error"} <= set(answer.json)
