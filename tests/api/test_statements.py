"""The number of database statements does not grow with the library: no list queries once per row."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.events import EventType
from speakr.domain.jobs import JobKind
from speakr.domain.permissions import GroupRole, Scope
from speakr.domain.recordings import RecordingStatus
from speakr.domain.templates import TemplateKind
from speakr.models import (
    CalendarEvent,
    Delivery,
    Event,
    Folder,
    Group,
    GroupMembership,
    Job,
    Recording,
    RecordingShare,
    RecordingSpeaker,
    RecordingTag,
    Segment,
    Speaker,
    Tag,
    Template,
    User,
    Webhook,
)
from speakr.services.accounts import tokens
from speakr.services.accounts.sealing import seal
from speakr.services.search import indexing
from speakr.services.system import maintenance, stats, system_settings
from tests.conftest import Person

FEW, MANY = 2, 12

GROWING = (
    "calendar_events",
    "deliveries",
    "events",
    "job_chunks",
    "jobs",
    "recording_shares",
    "recording_speakers",
    "recording_tags",
    "recordings",
    "search_documents",
    "search_terms",
    "segments",
)
"""Tables that are large in a large library."""

SMALL_INDEXES = ("ix_deliveries_due", "ix_deliveries_open")
"""Indexes over the few rows that wait for something."""

LISTS = (
    "recordings",
    "recordings?per_page=100&sort_by=title",
    "recordings?status=completed&q=walrus&tag=tag 0",
    "recordings?shared=true",
    "recordings/{recording}",
    "recordings/{recording}?include=transcription,summary,notes",
    "recordings/{recording}/transcript",
    "recordings/{recording}/speakers",
    "recordings/{recording}/shares",
    "recordings/{recording}/events",
    "recordings/{recording}/events/ics",
    "recordings/{recording}/export?format=md",
    "calendar.ics?token={token}",
    "search?q=walrus",
    "search?q=walrus&tag=tag 0",
    'search?q="the walrus" -okapi',
    "speakers",
    "tags",
    "folders",
    "groups",
    "groups/{group}/members",
    "templates",
    "jobs",
    "tokens",
    "users?query={name}",
    "users/me",
    "admin/users?per_page={amount}",
    "webhooks",
    "webhooks/{webhook}/deliveries",
)

NO_LISTS = (
    "recordings/{recording}/status",
    "stats",
    "stats?scope=all",
    "tags/{tag}",
    "groups/{group}",
    "admin/users/{user}",
    "retention",
    "admin/retention",
    "webhooks/{webhook}",
)
"""Routes whose response does not grow."""


@dataclass
class FullAccount:
    """A user with many objects of every kind, linked as densely as possible."""

    person: Person
    amount: int

    def fill(self, other: Person) -> None:
        """Create all of it. `other` has as many recordings, all shared with the user."""
        me, name = self.person.id, self.person.name
        with unit_of_work():
            numbers = range(self.amount)
            users = _add(User(username=f"{name}{n}", email=f"{name}{n}@example.com") for n in numbers)
            groups = _add(Group(name=f"{name}'s {n}") for n in numbers)
            _add(
                GroupMembership(group_id=group.id, user_id=user_id, role=role)
                for group in groups
                for user_id, role in [(me, GroupRole.ADMIN), *((user.id, GroupRole.MEMBER) for user in users)]
            )
            _add(Tag(group_id=group.id, name="ours") for group in groups)
            tags = _add(Tag(user_id=me, name=f"tag {n}") for n in numbers)
            folders = _add(Folder(user_id=me, name=f"folder {n}") for n in numbers)
            speakers = _add(Speaker(user_id=me, name=f"Ann {n}") for n in numbers)
            _add(
                Template(user_id=me, kind=TemplateKind.EXPORT, name=f"t{n}", body="{{title}}")
                for n in numbers
            )
            own = _add(_recording(self.person, folder_id=folders[n].id) for n in numbers)
            others = _add(_recording(other) for _ in numbers)
            _add(RecordingShare(recording_id=each.id, user_id=me) for each in others)
            _add(RecordingTag(recording_id=r.id, tag_id=tag.id, position=0) for r in own for tag in tags)
            _add(Job(recording_id=r.id, user_id=me, kind=kind) for r in own for kind in JobKind)
            self._fill(own[0].id, users, speakers)
            for n in numbers:
                tokens.create(me, scopes=frozenset(Scope), name=f"token {n}")
            webhooks = _add(_webhook(self.person) for _ in numbers)
            _add(_sent_events(self.person, webhook.id) for webhook in webhooks for _ in numbers)
            indexing.index(*(each.id for each in (*own, *others)))
            self.ids = {
                "recording": own[0].id,
                "tag": tags[0].id,
                "group": groups[0].id,
                "user": me,
                "webhook": webhooks[0].id,
            }

    def _fill(self, recording_id: int, users: Sequence[User], speakers: Sequence[Speaker]) -> None:
        """Fill one recording with everything it can have."""
        of_it = {"recording_id": recording_id}
        _add(RecordingShare(user_id=user.id, **of_it) for user in users)
        labels = [f"SPEAKER_{n:02}" for n in range(self.amount)]
        _add(_segment(recording_id, n, label) for n, label in enumerate(labels))
        _add(
            RecordingSpeaker(label=label, name=speaker.name, speaker_id=speaker.id, **of_it)
            for label, speaker in zip(labels, speakers, strict=True)
        )
        _add(CalendarEvent(title="An event", start_at=now(), **of_it) for _ in labels)

    def path(self, path: str) -> str:
        """Fill in the first id of each kind."""
        return "/api/v1/" + path.format(
            amount=self.amount, name=self.person.name, token=self.person.token, **self.ids
        )


def _add(rows: Iterable[Any]) -> list[Any]:
    made = list(rows)
    db.session.add_all(made)
    db.session.flush()
    return made


def _recording(person: Person, **more: Any) -> Recording:
    return Recording(
        user_id=person.id,
        title="The walrus",
        original_filename="a.wav",
        mime_type="audio/wav",
        file_size=10,
        sha256="0" * 64,
        status=RecordingStatus.COMPLETED,
        completed_at=now(),
        has_transcription=True,
        has_summary=True,
        summary="Of the walrus",
        notes="The walrus",
        participants="Ann",
        **more,
    )


def _segment(recording_id: int, n: int, label: str) -> Segment:
    return Segment(
        recording_id=recording_id,
        position=n,
        start=n,
        end=n + 1,
        speaker=label,
        text="I am the walrus",
        words=[],
    )


def _webhook(person: Person) -> Webhook:
    return Webhook(
        user_id=person.id,
        name="A webhook",
        url="https://example.com",
        events=[EventType.RECORDING_CREATED],
        secret_sealed=seal("whsec_x"),
    )


def _sent_events(person: Person, webhook_id: int) -> Delivery:
    fact = Event(uuid=str(uuid.uuid4()), user_id=person.id, type=EventType.RECORDING_CREATED, data={})
    db.session.add(fact)
    return Delivery(
        webhook_id=webhook_id, event_uuid=fact.uuid, event_type=EventType.RECORDING_CREATED, body="{}"
    )


@pytest.fixture
def accounts(app: Flask, make_person: Callable[..., Person]) -> list[FullAccount]:
    with unit_of_work():
        system_settings.put("enable_folders", value=True)
    other = make_person("walrus")
    made = [
        FullAccount(make_person(name, is_admin=True, scopes=frozenset(Scope)), amount)
        for name, amount in (("alice", FEW), ("zoe", MANY))
    ]
    for account in made:
        account.fill(other)
    return made


def test_no_answer_takes_more_statements_for_many_rows_than_for_few(
    accounts: list[FullAccount], count_statements: Callable[[], Any]
) -> None:
    costs: list[dict[str, int]] = [{}, {}]
    lengths: list[dict[str, int]] = [{}, {}]
    for account, cost, length in zip(accounts, costs, lengths, strict=True):
        for path in LISTS + NO_LISTS:
            asked = account.path(path)
            account.person.get(asked)  # caches are filled from now on
            stats.forget()
            db.session.remove()
            with count_statements() as counted:
                answer = account.person.get(asked)
            assert answer.status_code == 200, (path, answer.json)
            cost[path], length[path] = counted.number, len(answer.data)
    few, many = costs
    assert many == few
    short, long = lengths
    assert [path for path in LISTS if long[path] <= short[path]] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_that_is_asked_often_reads_through_a_large_table(accounts: list[FullAccount]) -> None:
    asked: dict[str, Any] = {}

    def note(
        _connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, is_many: Any
    ) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            asked.setdefault(statement, values[0] if is_many else values)

    listen = (db.engine, "before_cursor_execute", note)
    event.listen(*listen)
    try:
        for path in LISTS + NO_LISTS:
            if path != "stats?scope=all":  # everything is what it adds up
                stats.forget()
                assert accounts[0].person.get(accounts[0].path(path)).status_code == 200
        for path in ("/healthz", "/readyz", "/metrics"):
            accounts[0].person.get(path)
        maintenance.run_maintenance()
    finally:
        event.remove(*listen)
    with db.engine.connect() as connection:
        scans = [
            (step.detail, statement)
            for statement, values in asked.items()
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            if step.detail.startswith(tuple(f"SCAN {table}" for table in GROWING))
            and not step.detail.endswith(SMALL_INDEXES)
        ]
    assert len(asked) > len(LISTS)
    assert scans == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("narrowed", ["", "status=completed", "starred=true", "inbox=true", "q=x"])
def test_lists_are_counted_from_an_index_alone(alice: Person, narrowed: str) -> None:
    counts: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith("SELECT count(*)"):
            counts.append((statement, values))

    listen = (db.engine, "before_cursor_execute", note)
    event.listen(*listen)
    try:
        assert alice.get(f"/api/v1/recordings?{narrowed}").status_code == 200
    finally:
        event.remove(*listen)
    ((statement, values),) = counts
    with db.engine.connect() as connection:
        (step,) = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    assert "USING COVERING INDEX" in step.detail
