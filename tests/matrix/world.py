"""A server with the objects of one user, each containing a string that occurs nowhere else, and other users.

`alice` owns everything. Every other role sees it in a different way, or not at all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import insert

from speakr.backends import get_backends
from speakr.db import Base, db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import DeliveryStatus
from speakr.domain.emails import EmailKind
from speakr.domain.events import EventType
from speakr.domain.jobs import JobKind, JobState
from speakr.domain.notices import NoticeKind
from speakr.domain.permissions import GroupRole, Scope
from speakr.domain.recordings import RecordingStatus
from speakr.domain.templates import TemplateKind
from speakr.domain.transcript_history import RevisionKind, packed
from speakr.domain.uploads import UploadState
from speakr.models import (
    ApiToken,
    CalendarEvent,
    Delivery,
    Email,
    Event,
    Folder,
    Group,
    GroupMembership,
    Job,
    Notice,
    PostedSummary,
    Recording,
    RecordingShare,
    RecordingSpeaker,
    RecordingTag,
    Segment,
    Speaker,
    Tag,
    Template,
    TranscriptRevision,
    Upload,
    UploadSource,
    User,
    Webhook,
)
from speakr.services.accounts import email_codes
from speakr.services.accounts.sealing import seal
from speakr.services.recordings import stored_forms
from speakr.services.recordings.intake import UploadForm
from speakr.services.search import indexing
from speakr.storage.base import new_key
from tests.conftest import wav
from tests.matrix.canaries import PRIVATE, canary

ROLES = ("stranger", "root", "viewer", "member", "editor", "lead", "owner")
"""From the least to the most access: `root` is a site admin, `member` and `lead` see through a group's tag."""

PEOPLE = {
    "owner": "alice",
    "stranger": "mallory",
    "root": "root",
    "viewer": "vera",
    "editor": "edith",
    "member": "bob",
    "lead": "lee",
    "gone": "gregor",
}


@dataclass
class World:
    """Ids by name: `ids` of the owner's objects, `own` of the unrelated user's own; and raw tokens."""

    users: dict[str, int] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    def token(self, role: str, *scopes: Scope) -> str:
        """Make a token of a role with these scopes."""
        return self._token(role, scopes)

    def expired(self) -> str:
        """Make a token of the owner that has expired."""
        return self._token("owner", tuple(Scope), expires_at=now() - timedelta(seconds=1))

    def revoked(self) -> str:
        """Make a token of the owner that was revoked."""
        return self._token("owner", tuple(Scope), revoked_at=now())

    def switched_off(self) -> str:
        """Create a valid token of a deactivated user."""
        return self._token("gone", tuple(Scope))

    def _token(self, role: str, scopes: tuple[Scope, ...], **more: Any) -> str:
        raw = f"{role}-{'-'.join(scopes)}-{sorted(more)}".ljust(43, "x")
        if raw not in self.tokens:
            self.tokens.add(raw)
            with unit_of_work() as session:
                session.add(_token_row(self.users[role], raw, scopes, last_used_at=now(), **more))
        return raw


def _token_row(user_id: int, raw: str, scopes: tuple[Scope, ...], **more: Any) -> ApiToken:
    return ApiToken(
        user_id=user_id,
        **{
            "name": "for the tests",
            "prefix": raw[:6],
            "sha256": hashlib.sha256(raw.encode()).hexdigest(),
            "scopes": sorted(scopes),
            **more,
        },
    )


def build() -> World:
    """Fill an empty database."""
    world = World()
    with unit_of_work():
        _people(world)
        _group(world)
        world.ids |= _things(world, "owner", canary)
        world.own = _things(world, "stranger", lambda kind: f"mallory's {kind}")
        _show(world)
        _another_recording(world)
        indexing.index(
            *(ids["recording_id"] for ids in (world.ids, world.own)), world.ids["other_recording_id"]
        )
    return world


def _add(*rows: Any) -> Any:
    db.session.add_all(rows)
    db.session.flush()
    return rows[0]


def _people(world: World) -> None:
    users = {
        role: User(
            username=name, is_admin=role == "root", is_active=role != "gone", email=f"{name}@example.com"
        )
        for role, name in PEOPLE.items()
    }
    users["owner"].email = f"{canary('email')}@example.com"
    users["owner"].company = canary("company")
    users["owner"].preferences = {"summary_prompt": canary("prompt")}
    _add(*users.values())
    world.users = {role: user.id for role, user in users.items()}
    world.ids["user_id"] = world.users["member"]
    email = _add(
        Email(
            user_id=users["owner"].id,
            kind=EmailKind.VERIFICATION,
            address=users["owner"].email,
            created_at=now() - timedelta(hours=1),
        )
    )
    world.ids["code"] = email_codes.code_of(email)


def _group(world: World) -> None:
    group = _add(Group(name=canary("group"), description=canary("groupabout")))
    world.ids["group_id"] = group.id
    _add(
        *(
            GroupMembership(
                group_id=group.id,
                user_id=world.users[role],
                role=GroupRole.ADMIN if role == "lead" else GroupRole.MEMBER,
            )
            for role in ("owner", "member", "lead")
        )
    )
    tag = _add(Tag(group_id=group.id, name=canary("grouptag")))
    folder = _add(Folder(group_id=group.id, name=canary("groupfolder")))
    world.ids |= {"group_tag_id": tag.id, "group_folder_id": folder.id}


def _things(world: World, role: str, word: Any) -> dict[str, Any]:
    """Give a person one of everything; `word` names each kind."""
    user_id, recording = world.users[role], _recording(world.users[role], word)
    hints = {"hotwords": word("hotwords")}
    recording.hints = hints
    ids = {"recording_id": _add(recording).id, "name": "retention_days"}
    template = _add(
        Template(user_id=user_id, kind=TemplateKind.EXPORT, name=word("template"), body=word("templatebody"))
    )
    tag = _add(Tag(user_id=user_id, name=word("tag")[:50], custom_prompt=word("tagprompt")))
    folder = _add(Folder(user_id=user_id, name=word("folder"), custom_prompt=word("folderprompt")))
    recording.folder_id = folder.id
    speaker = _add(Speaker(user_id=user_id, name=word("speaker")))
    other = _add(Speaker(user_id=user_id, name=word("acquaintance")))
    webhook = _add(_webhook(user_id, word))
    event_uuid = f"00000000-0000-4000-8000-{user_id:012}"
    fact = Event(
        uuid=event_uuid,
        user_id=user_id,
        recording_id=recording.id,
        type=EventType.RECORDING_CREATED,
        data={"title": word("body")},
    )
    delivery = _add(
        Delivery(
            webhook_id=webhook.id,
            event_uuid=event_uuid,
            event_type=EventType.RECORDING_CREATED,
            body=f'{{"id":"x","data":{{"title":"{word("body")}"}}}}',
            status=DeliveryStatus.SUCCESS,
            response_body_preview=word("preview"),
        )
    )
    waiting = _add(
        Delivery(
            webhook_id=webhook.id, event_uuid=event_uuid, event_type=EventType.RECORDING_CREATED, body="{}"
        )
    )
    upload = _add(
        Upload(
            user_id=user_id, size_bytes=1000, filename=word("uploadname"), fields=[["title", word("uploadtitle")]],
            expires_at=now() + timedelta(days=1),
        )
    )  # fmt: skip
    signed_upload = _add(
        Upload(
            user_id=user_id, state=UploadState.WAITING, size_bytes=0, filename=word("uploadname"), fields=[],
            expires_at=now() + timedelta(days=1),
        )
    )  # fmt: skip
    form = UploadForm(filename="", title=word("uploadtitle"))
    _add(UploadSource(upload_id=signed_upload.id, form=stored_forms.to_json(form)))
    notice = _add(Notice(user_id=user_id, kind=NoticeKind.WEBHOOK_PAUSED, text=word("notice")))
    job = Job(
        recording_id=recording.id,
        user_id=user_id,
        kind=JobKind.TRANSCRIBE,
        state=JobState.FAILED,
        error_message=word("job"),
    )
    queued = Job(recording_id=recording.id, user_id=user_id, kind=JobKind.SUMMARIZE)
    posted = _add(Job(user_id=user_id, kind=JobKind.SUMMARIZE_TEXT, state=JobState.SUCCEEDED))
    written = {"summary": word("posted"), "topics": [], "words": 1, "engine": "fake"}
    _add(PostedSummary(job_id=posted.id, format="paragraph", max_words=50, result=written))
    token = _token_row(user_id, f"{role}'s own".ljust(43, "x"), (Scope.READ,), name=word("token"))
    event = CalendarEvent(
        recording_id=recording.id, title=word("event"), start_at=now(), description=word("event")
    )
    _add(fact, job, queued, token, event, RecordingTag(recording_id=recording.id, tag_id=tag.id, position=1))
    _add(
        RecordingSpeaker(
            recording_id=recording.id, label="SPEAKER_00", name=word("speaker"), speaker_id=speaker.id
        )
    )
    _say(recording.id, f"The quarterly numbers: {word('said')}", "And what of the budget?")
    recording.transcript_revision = 1
    _add(
        TranscriptRevision(
            recording_id=recording.id,
            number=1,
            kind=RevisionKind.TEXT,
            user_id=user_id,
            words_added=0,
            words_removed=0,
            segments_changed=0,
            undo_to=0,
            redo_to=0,
            details={},
            replaced=packed([]),
        )
    )
    return ids | {
        "index": 0,
        "number": 1,
        "template_id": template.id,
        "tag_id": tag.id,
        "folder_id": folder.id,
        "speaker_id": speaker.id,
        "other_speaker_id": other.id,
        "webhook_id": webhook.id,
        "delivery_id": delivery.id,
        "waiting_delivery_id": waiting.id,
        "notice_id": notice.id,
        "upload_id": upload.id,
        "signed_upload_id": signed_upload.id,
        "job_id": job.id,
        "queued_job_id": queued.id,
        "summary_id": posted.id,
        "token_id": token.id,
        "event_id": event.id,
    }


def _recording(user_id: int, word: Any, **more: Any) -> Recording:
    key = new_key("audio")
    sink = get_backends().storage.create(key)
    sink.write(wav(1.0))
    sink.commit()
    return Recording(
        user_id=user_id,
        storage_key=key,
        **{
            "title": f"Quarterly {word('title')}",
            "original_filename": f"{word('filename')}.wav",
            "mime_type": "audio/wav",
            "file_size": len(wav(1.0)),
            "sha256": "0" * 64,
            "status": RecordingStatus.COMPLETED,
            "completed_at": now(),
            "participants": word("participant"),
            "notes": f"Quarterly {word('notes')}",
            "summary": f"Quarterly {word('summary')}",
            "has_transcription": True,
            "has_summary": True,
            **more,
        },
    )


def _say(recording_id: int, *sentences: str) -> None:
    db.session.execute(
        insert(Segment),
        [
            {
                "recording_id": recording_id,
                "position": position,
                "start": float(position),
                "end": position + 0.9,
                "speaker": f"SPEAKER_{position:02}",
                "text": sentence,
                "words": [],
            }
            for position, sentence in enumerate(sentences)
        ],
    )


def _webhook(user_id: int, word: Any) -> Webhook:
    return Webhook(
        user_id=user_id,
        name=word("webhook"),
        url=f"http://127.0.0.1:8765/{word('webhookurl')}",
        allow_http=True,
        events=["recording.created"],
        secret_sealed=seal(word("secret")),
    )


def _show(world: World) -> None:
    """Share the owner's recording with every role but the unrelated user and the site admin."""
    number = world.ids["recording_id"]
    shares = {
        role: RecordingShare(recording_id=number, user_id=world.users[role], can_edit=role == "editor")
        for role in ("viewer", "editor")
    }
    theirs = RecordingShare(recording_id=world.own["recording_id"], user_id=world.users["gone"])
    _add(
        *shares.values(),
        theirs,
        RecordingTag(recording_id=number, tag_id=world.ids["group_tag_id"], position=2),
    )
    world.ids |= {"share_id": shares["viewer"].id, "editor_share_id": shares["editor"].id}
    group = _add(Group(name="mallory's group"))
    _add(GroupMembership(group_id=group.id, user_id=world.users["stranger"], role=GroupRole.ADMIN))
    world.own |= {"share_id": theirs.id, "group_id": group.id, "user_id": world.users["stranger"]}


def _another_recording(world: World) -> None:
    """Create a recording of the owner that no other user sees."""

    def word(kind: str) -> str:
        return canary(f"other{kind}" if f"other{kind}" in PRIVATE else "notes")

    recording = _add(_recording(world.users["owner"], word, sha256="1" * 64))
    _add(CalendarEvent(recording_id=recording.id, title=word("event"), start_at=now()))
    _say(recording.id, f"The quarterly secrets: {word('said')}")
    world.ids["other_recording_id"] = recording.id


# -- what a refused request must not do


def everything_stored(app: Flask) -> dict[str, list[Any]]:
    """Return all rows of all tables, without when tokens were used last."""
    found: dict[str, list[Any]] = {}
    with app.app_context(), db.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            columns = [column for column in table.c if column.name != "last_used_at"]
            rows = connection.execute(table.select().with_only_columns(*columns)).all()
            found[table.name] = sorted(map(repr, rows))
    return found
