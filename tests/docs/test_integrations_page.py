"""docs/integrations.md: what the recipes read is what the server sends."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from speakr.webhooks.signature import new_secret, speakr_signature
from tests.conftest import Person
from tests.docs.pages import blocks, read

NODE = shutil.which("node")


def at(numbers: Any, path: str) -> Any:
    for key in path.split("."):
        numbers = numbers[key]
    return numbers


@pytest.mark.parametrize("page", ["integrations.md", "api.md"])
def test_widgets_and_sensors_read_numbers_that_exist(alice: Person, page: str) -> None:
    stats = alice.get("/api/v1/stats").json
    recipes = "".join(block.text for block in blocks(read(page)) if block.language == "yaml")
    paths = re.findall(r"- field: (\S+)", recipes) + re.findall(r"value_json\.([\w.]+)", recipes)
    assert len(paths) >= 5
    for path in paths:
        assert not isinstance(at(stats, path), dict | list)


def test_numbers_are_numbers_to_a_widget(alice: Person) -> None:
    stats = alice.get("/api/v1/stats").json
    for page in ("integrations.md", "api.md"):
        for path in re.findall(r"- field: (\S+)\n +label: \w+\n +format: number", read(page)):
            assert isinstance(at(stats, path), int), path


def test_the_list_widget_reads_fields_that_exist(alice: Person, upload) -> None:
    assert upload(alice).status_code == 202
    listed = alice.get("/api/v1/recordings?per_page=5").json
    (recipe,) = [block.text for block in blocks(read("integrations.md")) if "dynamic-list" in block.text]
    mapped = dict(re.findall(r"^ +(items|name|label): (\S+)$", recipe, re.MULTILINE))
    assert mapped == {"items": "recordings", "name": "title", "label": "status"}
    assert {mapped["name"], mapped["label"]} <= set(listed[mapped["items"]][0])


def test_pages_end_where_the_recipe_for_n8n_looks(alice: Person) -> None:
    assert "$response.body.pagination.has_next" in read("integrations.md")
    assert alice.get("/api/v1/recordings?per_page=100").json["pagination"]["has_next"] is False


def _node_red_function() -> str:
    (code,) = [block.text for block in blocks(read("integrations.md")) if block.language == "js"]
    return code


def test_the_node_red_function_checks_the_documented_header() -> None:
    code = _node_red_function()
    assert 'msg.req.headers["speakr-signature"]' in code
    assert "timingSafeEqual" in code


if NODE is not None:

    @pytest.mark.parametrize(("sent", "output"), [(b'{"a":"\xc3\xbc"}', 0), (b'{"a":"u"}', 1)])
    def test_the_node_red_function_tells_true_from_false(sent: bytes, output: int) -> None:
        secret, signed = new_secret(), '{"a":"ü"}'.encode()
        script = f"""
            const run = new Function("msg", "crypto", "env", {json.dumps(_node_red_function())});
            const headers = {{"speakr-signature": {json.dumps(speakr_signature(secret, signed))}}};
            const msg = {{ payload: Buffer.from({json.dumps(sent.hex())}, "hex"), req: {{ headers }} }};
            const outputs = run(msg, require("crypto"), {{ get: () => {json.dumps(secret)} }});
            console.log(JSON.stringify(outputs.map((one) => one && one.payload)));
        """
        done = subprocess.run([str(NODE), "-e", script], capture_output=True, text=True, check=True)
        outputs = json.loads(done.stdout)
        assert [one is not None for one in outputs] == [output == 0, output == 1]
        if output == 0:
            assert outputs[0] == {"a": "ü"}
