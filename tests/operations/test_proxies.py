"""The recipes for nginx and Caddy in docs/operations.md: read here, and Caddy's run in front of a real server."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from speakr.operations.sample import SAMPLE
from speakr.settings import Settings
from speakr.web import body_timeout, connections
from tests.operations.conftest import ROOT, Stack, wait_for

PAGE = (ROOT / "docs" / "operations.md").read_text()
TOKEN = "a-token-for-tests-that-is-long-enough-to-be-taken"
CADDY = shutil.which("caddy") or shutil.which("caddy", path=str(Path(sys.executable).parent))
GUNICORN = (ROOT / "config" / "gunicorn.conf.py").read_text()
DEFAULTS = Settings.from_env({"SPEAKR_SECRET_KEY": "k" * 40})


def recipe(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


def seconds(text: str, directive: str) -> int:
    (number, unit) = re.findall(rf"^\s*{directive} (\d+)([sm])\b", text, re.MULTILINE)[-1]
    return int(number) * {"s": 1, "m": 60}[unit]


def keepalive_of_speakr() -> int:
    (found,) = re.findall(r"^keepalive = (\d+)$", GUNICORN, re.MULTILINE)
    return int(found)


def test_nginx_agrees_with_the_limits_of_connections() -> None:
    text = recipe("nginx")
    assert seconds(text, "keepalive_timeout") < keepalive_of_speakr()
    assert seconds(text, "send_timeout") == connections.WRITE_STALL_SECONDS
    assert seconds(text, "client_body_timeout") == body_timeout.MAX_SILENT_SECONDS
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", text)
    assert int(megabytes) > max(DEFAULTS.max_file_size_mb, DEFAULTS.max_audio_only_video_size_mb)
    for directive in (
        "proxy_buffering off;",
        "proxy_request_buffering off;",
        'Connection "";',
        "limit_conn ",
    ):
        assert directive in text
    assert "proxy_pass http://speakr;" in text
    assert "upstream speakr {" in text


@pytest.mark.parametrize(
    ("header", "value"),
    [("For", "$remote_addr"), ("Proto", "$scheme"), ("Host", "$host"), ("Prefix", '""')],
)
def test_nginx_sets_every_header_that_speakr_believes(header: str, value: str) -> None:
    assert f"proxy_set_header X-Forwarded-{header} {value};" in recipe("nginx")


def test_nginx_recipe_is_well_formed() -> None:
    text = re.sub(r"#.*", "", recipe("nginx"))
    assert text.count("{") == text.count("}")
    for line in filter(None, map(str.strip, text.splitlines())):
        assert line.endswith(("{", "}", ";")), line


def test_caddy_agrees_with_the_limits_of_connections() -> None:
    text = recipe("caddyfile")
    assert seconds(text, "keepalive") < keepalive_of_speakr()
    assert "header_up -X-Forwarded-Prefix" in text
    (megabytes,) = re.findall(r"max_size (\d+)MiB", text)
    assert int(megabytes) > max(DEFAULTS.max_file_size_mb, DEFAULTS.max_audio_only_video_size_mb)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A whole server behind Caddy with the recipe; gives Caddy's port."""
    if CADDY is None:
        pytest.skip("there is no caddy")
    folder: Path = tmp_path_factory.mktemp("proxied")
    stack = Stack(
        folder, folder / "data", "--no-sample", "--workers", "1",
        SPEAKR_TRUSTED_PROXIES="1", SPEAKR_BOOTSTRAP_TOKEN=TOKEN,
    )  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    caddy = log = None
    try:
        stack.wait_until_ready()
        site = recipe("caddyfile").replace("speakr.example.org", f"http://127.0.0.1:{port}")
        site = site.replace("127.0.0.1:8899", f"127.0.0.1:{stack.port}").replace("{", "{\n    admin off", 1)
        (folder / "Caddyfile").write_text(site)
        log = (folder / "caddy.log").open("wb")
        caddy = subprocess.Popen(
            [CADDY, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"],
            env={"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
            stderr=log,
        )
        wait_for(lambda: answers(port), (folder / "caddy.log").read_text(), seconds=30)
        yield port
    finally:
        if caddy is not None and log is not None:
            caddy.terminate()
            caddy.wait(timeout=20)
            log.close()
        stack.clear_away()


def answers(port: int) -> bool:
    try:
        return ask(port, "GET", "/healthz")[0] == 200
    except OSError:
        return False


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}", **sent})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.stack
def test_caddy_replaces_what_clients_say_about_themselves(proxied: int) -> None:
    status, text = ask(
        proxied, "GET", "/api/v1/openapi.json",
        X_Forwarded_Prefix="/attacker-prefix", X_Forwarded_Host="attacker.example", X_Forwarded_Proto="gopher", X_Forwarded_For="6.6.6.6",
    )  # fmt: skip
    assert status == 200
    assert "attacker" not in text
    assert "gopher:" not in text
    # Only the proxy is on this machine; the client behind it may not read metrics.
    assert ask(proxied, "GET", "/metrics")[0] == 404


@pytest.mark.stack
def test_an_upload_and_its_live_stream_pass_through_caddy(proxied: int) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="sample.flac"\r\n\r\n'
        + SAMPLE.read_bytes()
        + b"\r\n--b--\r\n"
    )
    status, text = ask(
        proxied, "POST", "/api/v1/recordings/upload", body, Content_Type="multipart/form-data; boundary=b"
    )
    assert status == 202
    status, stream = ask(proxied, "GET", f"/api/v1/recordings/{json.loads(text)['id']}/live")
    assert status == 200
    assert "event: status" in stream
    assert '"COMPLETED"' in stream
