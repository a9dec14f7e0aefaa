"""The drawings in the pages show the processes, layers, routes, transactions and states that the code has."""

from __future__ import annotations

import ast
import re
import sqlite3
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from flask import Flask
from sqlalchemy import event as sql_event

from speakr.db import db, unit_of_work
from speakr.domain.deliveries import DeliveryStatus, Verdict
from speakr.domain.errors import ConnectorBusy, ConnectorRejected, ConnectorUnavailable, JobCancelled
from speakr.domain.events import EventType, RecordingUpdated
from speakr.domain.jobs import MAX_BLAME_ALONE, MAX_CRASHES_WITHOUT_PROGRESS, JobState, retry_delay_seconds
from speakr.domain.permissions import DEFAULT_SCOPES, Actor
from speakr.domain.recordings import RecordingStatus
from speakr.models import Job
from speakr.operations.data_folder import DataFolder
from speakr.operations.listening import listen
from speakr.operations.redis_server import EmbeddedRedis
from speakr.operations.up import _Processes
from speakr.services.jobs import claims, recovery, requests
from speakr.services.webhooks import events
from speakr.services.webhooks.deliveries import recovery as failed_deliveries
from speakr.settings import Settings
from speakr.webhooks.retry_schedule import SCHEDULE_SECONDS, classify
from tests.conftest import Person
from tests.docs.drawings import Arrow, drawing, ends, labels, messages, transitions
from tests.docs.pages import ROOT, read
from tests.fakes import MemoryJobNotifier
from tests.support.native import native_rules
from tests.webhooks.claims import claim, outcome, settle

ARCHITECTURE = "ARCHITECTURE.md"
CONCEPTS = "docs/concepts.md"
RETRIES = "docs/webhooks/retries.md"

MAIN_TABLES = {"recordings", "events", "deliveries", "jobs", "segments", "insights"}
"""What the drawing of an upload names; the other tables are details of these."""
UNITS = {"s": 1, "min": 60, "h": 3600}


# -- processes


def services_of_compose() -> set[str]:
    """Return the services that stay, under the names of the drawing."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    one_shot = {name for name, service in services.items() if service.get("restart") == "on-failure"}
    return {"database" if name == "postgres" else name for name in services.keys() - one_shot}


def processes_of_up(settings: Settings, folder: Path) -> set[str]:
    """Return what `speakr up` starts; its database is a file."""
    data = DataFolder.prepare(folder)
    listener = listen("127.0.0.1", 0)
    try:
        processes = _Processes(data, listener, None, settings, {})
        redis = processes.redis_child(EmbeddedRedis.in_folder(data.path))
        children = [processes.web(), *processes.workers(), processes.dispatcher(), redis]
        return {re.sub(r"-\d+$", "", child.name) for child in children}
    finally:
        listener.socket.close()


def test_processes_are_those_that_compose_and_speakr_up_start(settings: Settings, tmp_path: Path) -> None:
    drawn = {
        node
        for pair in ends(drawing(ARCHITECTURE, kind="flowchart", has="dispatcher"))
        for node in pair
        if node not in {"client", "engines", "receivers", "storage"}  # no process of ours
    }
    assert drawn == services_of_compose()
    assert drawn == processes_of_up(settings, tmp_path / "up") | {"database"}


# -- layers


def test_layers_are_those_of_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    drawn = drawing(ARCHITECTURE, kind="flowchart", has="__main__")
    # In parentheses are packages that may be missing, as these are.
    present = [re.sub(r" \| \(\w+\)", "", layer) for layer in layers]
    assert labels(drawn) == present
    assert not any((ROOT / "speakr" / name).exists() for name in re.findall(r"\((\w+)\)", " ".join(layers)))
    numbers = [int(node[1:]) for pair in ends(drawn) for node in pair]
    assert numbers == [number for first in range(1, len(layers)) for number in (first, first + 1)]


# -- routes


def test_routes_of_the_native_api_are_those_that_are_drawn(app: Flask) -> None:
    routed = set()
    for rule in native_rules(app):
        found = re.match(r"/api/\w+", rule.rule)
        routed.add(found[0] if found else rule.rule)
    assert set(labels(drawing(ARCHITECTURE, kind="flowchart", has="healthz"))) == routed


# -- one upload


@pytest.fixture
def commits(app: Flask, notifier: MemoryJobNotifier, monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The tables that each committed transaction wrote to; a notification is the set {"notify"}."""
    log: list[set[str]] = []
    written: set[str] = set()

    def on_statement(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        written.update(re.findall(r"^\s*(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)", statement))

    def on_commit(_connection: object) -> None:
        if written:
            log.append(set(written))
            written.clear()

    send = notifier.notify

    def notify(*arguments: object) -> None:
        log.append({"notify"})
        send(*arguments)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(notifier, "notify", notify)
    sql_event.listen(db.engine, "before_cursor_execute", on_statement)
    sql_event.listen(db.engine, "commit", on_commit)
    sql_event.listen(db.engine, "rollback", lambda _: written.clear())
    return log


def test_transactions_of_an_upload(
    alice: Person, upload: Callable, work: Callable[[], None], commits: list[set[str]]
) -> None:
    add_webhook(alice)
    commits.clear()
    assert upload(alice).status_code == 202
    after_upload = len(commits)
    work()
    drawn = [
        (found[1], set(found[2].split(", ")))
        for message in messages(drawing(ARCHITECTURE, kind="sequenceDiagram", has="upload"))
        if (found := re.fullmatch(r"([A-Z]): (.*)", message.label))
    ]
    assert [letter for letter, _ in drawn] == list("ABCDE")
    facts = [tables & MAIN_TABLES for tables in commits if tables & {"events", "segments", "insights"}]
    assert facts == [tables for _, tables in drawn]
    assert commits[after_upload - 2] >= drawn[0][1]
    assert commits[after_upload - 1] == {"notify"}


# -- states


@pytest.fixture
def state_log(database_url: str, app: Flask) -> Callable[[], set[tuple[str, str]]]:
    """Return the changes of jobs and deliveries that the database has seen so far, as (from, to)."""
    file = database_url.removeprefix("sqlite:///")
    with sqlite3.connect(file) as connection:
        connection.executescript(
            """
            CREATE TABLE state_log (was TEXT, became TEXT);
            CREATE TRIGGER log_jobs AFTER UPDATE OF state ON jobs
            BEGIN INSERT INTO state_log VALUES (lower(OLD.state), lower(NEW.state)); END;
            CREATE TRIGGER log_deliveries AFTER UPDATE OF status ON deliveries
            WHEN OLD.status <> NEW.status OR OLD.attempt_count <> NEW.attempt_count
            BEGIN INSERT INTO state_log VALUES (lower(OLD.status), lower(NEW.status)); END;
            """
        )

    def seen() -> set[tuple[str, str]]:
        with sqlite3.connect(file) as connection:
            return set(connection.execute("SELECT was, became FROM state_log"))

    return seen


def pairs(arrows: list[Arrow]) -> set[tuple[str, str]]:
    return {(arrow.source, arrow.target) for arrow in arrows if "[*]" not in {arrow.source, arrow.target}}


def states_of(arrows: list[Arrow]) -> set[str]:
    return {state for arrow in arrows for state in (arrow.source, arrow.target)} - {"[*]"}


def the_actor(person: Person) -> Actor:
    return Actor(person.id, person.name, is_admin=False, scopes=DEFAULT_SCOPES)


def add_webhook(person: Person) -> int:
    body = {
        "name": "all",
        "url": "http://127.0.0.1:9000/",
        "allow_http": True,
        "events": [each.value for each in EventType if each is not EventType.WEBHOOK_TEST],
    }
    answer = person.post("/api/v1/webhooks", json=body)
    assert answer.status_code == 201, answer.json
    return int(answer.json["id"])


@pytest.fixture
def new_job(alice: Person, upload: Callable) -> Callable[[], int]:
    """Upload a recording; return the id of its queued job."""

    def make() -> int:
        recording = upload(alice).json["id"]
        return int(alice.get(f"/api/v1/jobs?recording_id={recording}").json["jobs"][0]["id"])

    return make


def claimed(job_id: int) -> claims.Claim:
    with unit_of_work():
        held = claims.claim(job_id, "worker")
    assert held is not None
    return held


def test_states_of_jobs(
    alice: Person, new_job: Callable[[], int], state_log: Callable[[], set[tuple[str, str]]]
) -> None:
    for error in (ConnectorUnavailable("x"), ConnectorBusy("x"), ConnectorRejected("x"), None):
        held = claimed(new_job())
        with unit_of_work():
            claims.succeed(held) if error is None else claims.fail(held, error)
    waiting = new_job()
    with unit_of_work():
        requests.cancel(the_actor(alice), waiting)
    held = claimed(new_job())
    with unit_of_work():
        requests.cancel(the_actor(alice), held.job_id)
    with unit_of_work():
        claims.fail(held, JobCancelled("x"))
    poison = new_job()
    for _ in range(MAX_CRASHES_WITHOUT_PROGRESS + MAX_BLAME_ALONE):
        with unit_of_work() as session:
            session.get_one(Job, poison).not_before = None
        claimed(poison)
        recovery.horse_died("worker")
    drawn = transitions(drawing(CONCEPTS, kind="stateDiagram-v2", has="queued"))
    assert pairs(drawn) == state_log()
    assert states_of(drawn) == {state.value for state in JobState}
    assert {arrow.source for arrow in drawn if arrow.target == "[*]"} == {"succeeded", "failed", "cancelled"}


def test_only_known_modules_change_the_state_of_a_job() -> None:
    """Another one may add a transition that the scenarios above do not try."""
    writers = set()
    for path in (ROOT / "speakr").rglob("*.py"):
        text = path.read_text()
        if "JobState" in text and any(writes_state(node) for node in ast.walk(ast.parse(text))):
            writers.add(path.relative_to(ROOT / "speakr" / "services").as_posix())
    assert writers == {"jobs/claims.py", "jobs/recovery.py", "jobs/requests.py"}


def writes_state(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="state", ctx=ast.Store()):
            return True
        case ast.keyword(arg="state", value=ast.Attribute(value=ast.Name(id="JobState"))):
            return True
        case ast.Dict(keys=keys, values=values):
            return any(
                isinstance(key, ast.Constant)
                and key.value == "state"
                and ast.unparse(value).startswith("JobState")
                for key, value in zip(keys, values, strict=True)
            )
    return False


def test_pauses_of_jobs_are_those_of_the_page() -> None:
    page = " ".join(read("concepts.md").split())
    assert "after {:.0f} s, {:.0f} s, {:.0f} s and so on".format(*map(retry_delay_seconds, (1, 2, 3))) in page


def test_states_of_recordings() -> None:
    drawn = transitions(drawing(CONCEPTS, kind="stateDiagram-v2", has="PENDING"))
    assert states_of(drawn) == {status.value for status in RecordingStatus}


@pytest.fixture
def attempt(alice: Person) -> Callable[..., None]:
    """Record an event and send its delivery with these verdicts, one attempt each."""

    def run(*verdicts: Verdict, is_last_final: bool = False) -> None:
        emit(alice)
        for number, verdict in enumerate(verdicts, 1):
            (taken,) = claim()
            is_final = is_last_final and number == len(verdicts)
            more = {"retry_in_seconds": 0.0} if verdict is Verdict.RETRY and not is_final else {}
            settle(outcome(taken, verdict, **more))

    return run


def emit(person: Person) -> None:
    with unit_of_work():
        events.record(person.id, RecordingUpdated(recording_id=1, title="x", fields_changed=("title",)))


def test_states_of_deliveries(
    alice: Person, attempt: Callable[..., None], state_log: Callable[[], set[tuple[str, str]]]
) -> None:
    webhook = add_webhook(alice)
    attempt(Verdict.DELIVERED)
    attempt(Verdict.RETRY, Verdict.DELIVERED)
    attempt(Verdict.RETRY, Verdict.RETRY, is_last_final=True)
    attempt(Verdict.RETRY, Verdict.RETRY, Verdict.DELIVERED)
    attempt(Verdict.GIVE_UP)
    emit(alice)
    (under_way,) = claim()
    assert failed_deliveries.cancel_all(the_actor(alice), webhook) == 1
    settle(outcome(under_way, Verdict.DELIVERED))
    drawn = transitions(drawing(RETRIES, kind="stateDiagram-v2", has="pending"))
    assert pairs(drawn) == state_log()
    assert states_of(drawn) == {status.value for status in DeliveryStatus}


def test_retry_times_of_deliveries() -> None:
    drawn = transitions(drawing(RETRIES, kind="stateDiagram-v2", has="pending"))
    (again,) = [arrow.label for arrow in drawn if (arrow.source, arrow.target) == ("failed", "failed")]
    pauses = [int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+) (s|min|h)\b", again)]
    assert pauses == sorted({int(seconds) for seconds in SCHEDULE_SECONDS if seconds})
    (retried,) = [arrow.label for arrow in drawn if (arrow.source, arrow.target) == ("pending", "failed")]
    assert {int(status) for status in re.findall(r"\b\d{3}\b", retried)} == {
        status for status in range(400, 500) if classify(status) is Verdict.RETRY
    }
    assert "5xx" in retried
