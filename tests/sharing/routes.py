"""Every route of a recording that a share might open, and what each kind of recipient gets there."""

from __future__ import annotations

from tests.conftest import Person
from tests.sharing.conftest import R


def every_route(person: Person, recording: int, job: int) -> dict[str, int]:
    """Return the status of each route of a recording that a share might open."""
    address = f"{R}/{recording}"
    answers = {
        "detail": person.get(address),
        "status": person.get(f"{address}/status"),
        "transcript": person.get(f"{address}/transcript"),
        "text": person.get(f"{address}/transcript?format=text"),
        "summary": person.get(f"{address}/summary"),
        "notes": person.get(f"{address}/notes"),
        "audio": person.get(f"{address}/audio"),
        "live": person.get(f"{address}/live"),
        "job": person.get(f"/api/v1/jobs/{job}"),
        "insights": person.get(f"{address}/insights"),
        "events": person.get(f"{address}/events"),
        "ics": person.get(f"{address}/events/ics"),
        "export": person.get(f"{address}/export"),
        "speakers": person.get(f"{address}/speakers"),
        "chat": person.post(f"{address}/chat", json={"message": "Who greets?"}),
        "identify": person.post(f"{address}/speakers/identify"),
        "new title": person.post(f"{address}/regenerate_title"),
        "patch title": person.patch(address, json={"title": "Mine now"}),
        "patch meeting date": person.patch(address, json={"meeting_date": None}),
        "put summary": person.put(f"{address}/summary", json={"summary": "Changed"}),
        "assign": person.put(f"{address}/speakers/assign", json={"speaker_map": {"SPEAKER_00": "Ann"}}),
        "history": person.get(f"{address}/transcript/history"),
        "segment": person.get(f"{address}/transcript/segments/0"),
        "put text": person.put(f"{address}/transcript", json={"text": "Other words here."}),
        "diff": person.get(f"{address}/transcript/history/1/diff"),
        "patch segment": person.patch(f"{address}/transcript/segments/0", json={"text": "Some more words."}),
        "split": person.post(f"{address}/transcript/segments/0/split", json={"word": 1}),
        "set speaker": person.post(
            f"{address}/transcript/segments/speaker", json={"first": 0, "speaker": "SPEAKER_09"}
        ),
        "merge": person.post(f"{address}/transcript/segments/merge", json={"first": 0, "last": 1}),
        "delete segments": person.post(f"{address}/transcript/segments/delete", json={"first": 0, "last": 0}),
        "undo": person.post(f"{address}/transcript/undo"),
        "redo": person.post(f"{address}/transcript/redo"),
        "restore": person.post(f"{address}/transcript/history/0/restore"),
        "cut": person.post(f"{address}/cut", json={"at": 0.5}),
        "summarize": person.post(f"{address}/summarize"),
        "extract": person.post(f"{address}/extract"),
        "retranscribe segment": person.post(f"{address}/segments/0/retranscribe"),
        "retranscribe range": person.post(f"{address}/retranscribe", json={"start": 0.0, "end": 0.3}),
        "delete segment": person.delete(f"{address}/transcript/segments/0"),
        "add tag": person.post(f"{address}/tags", json={"tag_id": 1}),
        "put tags": person.put(f"{address}/tags", json={"tag_ids": []}),
        "remove tag": person.delete(f"{address}/tags/1"),
        "change share": person.patch(f"{address}/shares/2000000000", json={"can_edit": True}),
        "end share": person.delete(f"{address}/shares/2000000000"),
        "patch notes": person.patch(address, json={"notes": "x"}),
        "put notes": person.put(f"{address}/notes", json={"notes": "x"}),
        "patch inbox": person.patch(address, json={"is_inbox": False, "title": "x"}),
        "patch star": person.patch(address, json={"is_highlighted": False}),
        "patch folder": person.patch(address, json={"folder_id": None}),
        "shares": person.get(f"{address}/shares"),
        "share": person.post(f"{address}/shares", json={"user_id": person.id}),
        "cancel": person.post(f"/api/v1/jobs/{job}/cancel"),
        "retry": person.post(f"/api/v1/jobs/{job}/retry"),
        "transcribe": person.post(f"{address}/transcribe"),
        "delete": person.delete(address),
    }
    return {name: answer.status_code for name, answer in answers.items()}


LOOKING = {
    "detail": 200,
    "status": 200,
    "transcript": 200,
    "text": 200,
    "summary": 200,
    "notes": 200,
    "audio": 200,
    "live": 200,
    "job": 200,
    "events": 200,
    "ics": 200,
    "export": 200,
    "speakers": 200,
    "chat": 200,
    "insights": 200,
    "history": 200,
    "segment": 200,
    # No worker works here: the request was permitted, and waited in vain.
    "retranscribe segment": 503,
    "retranscribe range": 503,
}


CHANGING = [
    "identify",
    "new title",
    "patch title",
    "patch meeting date",
    "put summary",
    "assign",
    "retry",
    "summarize",
    "extract",
    "transcribe",
    "put text",
    "patch segment",
    "split",
    "set speaker",
    "merge",
    "delete segments",
    "undo",
    "redo",
    "restore",
    "delete segment",
    "cut",
]


OWNERS = [
    "add tag",
    "put tags",
    "remove tag",
    "change share",
    "end share",
    "patch notes",
    "put notes",
    "patch inbox",
    "patch star",
    "patch folder",
    "shares",
    "share",
    "delete",
]


VIEWER = {**LOOKING, "diff": 404, **dict.fromkeys([*CHANGING, *OWNERS, "cancel"], 403)}


EDITOR = {
    **LOOKING,
    "diff": 200,
    **dict.fromkeys(CHANGING, 200),
    **dict.fromkeys(OWNERS, 403),
    "cut": 202,
    "retry": 202,
    "cancel": 409,
}


STRANGER = dict.fromkeys(VIEWER, 404)
