"""The production shape, checked without an engine: what docker-compose.yml and the Dockerfile promise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from speakr.operations import compose_settings, settings_pages
from speakr.operations.errors import OperatorError
from speakr.settings import Settings
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
        ("REDIS_URL", "REDIS_PASSWORD"),
    ):
        found = re.search(r"\$\{" + needed + r":\?([^}]+)\}", environment[variable])
        assert found, f"{variable} has to demand {needed}"
        assert "is not set. Make one with" in found[1]


def test_no_secret_has_a_default() -> None:
    for name in OURS:
        for variable, value in SERVICES[name]["environment"].items():
            if variable in SECRETS | {"AWS_SECRET_ACCESS_KEY"}:
                assert value is None or re.fullmatch(r"\$\{" + variable + r":\?[^}]+\}", value), (
                    f"{name}: {variable}"
                )
    assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    assert SERVICES["redis"]["environment"]["REDISCLI_AUTH"].startswith("${REDIS_PASSWORD:?")


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str) -> None:
    assert {v for v in SERVICES[name]["environment"] if not v.startswith("AWS_")} <= KNOWN


def test_every_setting_is_handed_on_and_an_unset_one_stays_unset() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert compose_settings.write_into(text) == text, "run: speakr settings --compose docker-compose.yml"
    fixed, only_for_up = compose_settings.SET_BY_COMPOSE, compose_settings.ONLY_FOR_UP
    assert fixed | only_for_up < KNOWN
    for name in OURS:
        environment = SERVICES[name]["environment"]
        assert KNOWN - fixed - only_for_up <= set(environment)
        # Compose passes a name without a value on only if it is set.
        assert {environment[variable] for variable in KNOWN - fixed - only_for_up} == {None}


def test_an_empty_value_in_the_env_file_is_the_default() -> None:
    required = {"SPEAKR_SECRET_KEY": "k" * 40}
    empty = dict.fromkeys(KNOWN - set(required), "")
    assert Settings.from_env({**empty, **required}) == Settings.from_env(required)


def test_a_compose_file_without_markers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text("services: {}\n")
    with pytest.raises(OperatorError, match="marker"):
        compose_settings.update(path)
    assert path.read_text() == "services: {}\n"


@pytest.mark.parametrize("name", list(SERVICES))
def test_a_service_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]  # noqa: S108 - the folder of the container
    assert service["pids_limit"] <= 256
    assert re.fullmatch(r"\d+[mg]|\$\{[A-Z_]+:-\d+[mg]\}", service["mem_limit"])


def test_no_service_runs_as_root() -> None:
    assert SERVICES["postgres"]["user"] == "postgres"
    assert SERVICES["redis"]["user"] == "redis"


def test_what_services_write_is_on_a_volume_that_the_image_gives_to_their_user() -> None:
    (owned,) = re.findall(
        r"install -d -o speakr -g speakr -m 0700 (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    for name in OURS:
        targets = {volume.partition(":")[2] for volume in SERVICES[name]["volumes"]}
        assert targets == set(owned.split())
        assert {
            SERVICES[name]["environment"][variable] for variable in ("SPEAKR_DATA", "SPEAKR_SCRATCH")
        } == targets


def test_database_and_redis_are_on_an_inner_network_and_want_a_password() -> None:
    assert COMPOSE["networks"]["inner"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["inner"]
    for name in OURS:
        assert SERVICES[name]["networks"] == ["speakr", "inner"]
    assert '--requirepass "$$REDISCLI_AUTH"' in SERVICES["redis"]["command"][-1]


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
    assert installs
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
        "requirements-languages.txt",
    }
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {name for names in copied for name in names.split()} - {"."} <= admitted
    assert all((ROOT / name).exists() for name in admitted)
