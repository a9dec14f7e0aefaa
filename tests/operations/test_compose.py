"""The production shape, checked without an engine: what docker-compose.yml and the Dockerfile promise."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from speakr.operations import settings_pages
from tests.operations.conftest import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "web", "worker", "dispatcher")
SECRETS = {name for name, is_secret in settings_pages.variables().items() if is_secret}
KNOWN = set(settings_pages.variables())


def test_there_is_everything() -> None:
    assert set(SERVICES) == {*OURS, "postgres", "redis"}


@pytest.mark.parametrize("name", OURS)
def test_a_missing_secret_stops_the_start_with_a_sentence(name: str) -> None:
    environment = SERVICES[name]["environment"]
    for variable, needed in (
        ("SPEAKR_SECRET_KEY", "SPEAKR_SECRET_KEY"),
        ("DATABASE_URL", "POSTGRES_PASSWORD"),
    ):
        found = re.search(r"\$\{" + needed + r":\?([^}]+)\}", environment[variable])
        assert found, f"{variable} has to demand {needed}"
        assert "is not set. Make one with" in found[1]


def test_no_secret_has_a_default() -> None:
    for name in OURS:
        for variable, value in SERVICES[name]["environment"].items():
            if variable in SECRETS | {"AWS_SECRET_ACCESS_KEY"}:
                assert re.fullmatch(r"\$\{" + variable + r"(:-|:\?[^}]+)\}", value), f"{name}: {variable}"
    assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str) -> None:
    assert {v for v in SERVICES[name]["environment"] if not v.startswith("AWS_")} <= KNOWN


def test_the_order_of_the_start() -> None:
    assert SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert SERVICES["migrate"]["restart"] == "on-failure"
    for name in ("web", "worker", "dispatcher"):
        assert SERVICES[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "redis": {"condition": "service_healthy"},
        }
    for name in ("web", "postgres", "redis"):
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_redis_keeps_its_notifications() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_what_is_kept_is_on_volumes_and_nothing_is_open_to_the_network() -> None:
    for name in ("web", "worker", "postgres", "redis"):
        assert SERVICES[name]["volumes"]
        assert all(volume.partition(":")[0] in COMPOSE["volumes"] for volume in SERVICES[name]["volumes"])
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["web"]
    assert SERVICES["web"]["ports"] == ["${SPEAKR_PUBLISH:-127.0.0.1:8899}:8899"]


def test_workers_scale() -> None:
    assert "container_name" not in SERVICES["worker"]
    assert "ports" not in SERVICES["worker"]


def test_the_image_has_no_root_no_secret_and_checks_hashes() -> None:
    lines = (ROOT / "Dockerfile").read_text()
    (user,) = re.findall(r"^USER (\S+)", lines, re.MULTILINE)
    assert user != "root"
    installs = re.findall(r"pip install [^\n]+", lines)
    assert len(installs) == 2
    assert all("--require-hashes" in install for install in installs)
    for secret in SECRETS:
        assert f"{secret}=" not in lines
    assert "://" not in lines, "no address of any package server"


def test_the_image_holds_what_its_processes_need() -> None:
    admitted = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert admitted >= {
        "speakr",
        "migrations",
        "config",
        "wsgi.py",
        "requirements.txt",
        "requirements-models.txt",
    }
    assert all((ROOT / name).exists() for name in admitted)
