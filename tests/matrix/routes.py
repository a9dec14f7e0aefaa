"""How each route is called, and who may call it: a new route needs a line here, or `test_no_route_is_forgotten` fails."""

from __future__ import annotations

from collections.abc import Sequence

from tests.conftest import wav
from tests.matrix.families import family_rows
from tests.matrix.policies import (
    ANYBODY,
    EACH,
    EDIT,
    GROUP,
    IN_GROUP,
    LEADS,
    LOGGED_IN,
    MANAGES,
    MINE,
    OWN,
    SITE_ADMIN,
    VIEW,
    Case,
    but,
    fixed,
)

_V1 = "/api/v1"
_R = f"{_V1}/recordings"
_ONE = f"{_R}/<id:recording_id>"
_GROUPS_TAG = {"tag_id": "group_tag_id"}
_GROUPS_FOLDER = {"folder_id": "group_folder_id"}
_BYTES = {"Content-Type": "application/offset+octet-stream"}
_TEXTS = ("title", "summary", "said", "notes", "tag", "folder", "participant", "event", "filename", "speaker")

PUBLIC = {
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /api/v1/openapi.json",
    "GET /api/v1/docs/",
    "GET /api/v1/docs/<path:path>",
    "GET /api/v1/email/verify",
    "POST /api/v1/email/verify",
    "POST /api/v1/auth/register",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    *(route for rows in family_rows() for route in rows.public),
}
"""Without a token; they show no user data."""

_RECORDINGS = {
    f"GET {_R}": [
        Case(ANYBODY, shows=("title", "tag", "folder", "participant", "othertitle")),
        Case(ANYBODY, query="q=quarterly", shows=("title",), name="text"),
        Case(ANYBODY, query="tag_id={tag_id}", shows=("title",), name="tag"),
        Case(ANYBODY, query="folder_id={folder_id}", shows=("title",), name="folder"),
        Case(ANYBODY, query="tag_id={group_tag_id}", shows=("title",), name="tag of a group"),
    ],
    f"POST {_R}/upload": [Case(ANYBODY, is_upload=True)],
    f"POST {_V1}/uploads": [
        Case(ANYBODY, headers={"Upload-Length": "1000"}),
        Case(ANYBODY, headers={"Upload-Length": "1000", **_BYTES}, data=b"first", name="with bytes"),
    ],
    f"GET {_V1}/uploads/<id:upload_id>": [Case(MINE, shows=("uploadname",))],
    f"PATCH {_V1}/uploads/<id:upload_id>": [
        Case(MINE, headers={"Upload-Offset": "0", **_BYTES}, data=b"some bytes"),
    ],
    f"DELETE {_V1}/uploads/<id:upload_id>": [Case(MINE)],
    f"POST {_R}/from-url": [Case(ANYBODY, fixed(url="https://files.example.com/a.wav"))],
    f"POST {_V1}/uploads/signed": [Case(ANYBODY, fixed(filename="a.wav"))],
    f"PUT {_V1}/uploads/<id:upload_id>/content": [
        Case(
            MINE, ids={"upload_id": "signed_upload_id"}, data=wav(0.1), headers={"Content-Type": "audio/wav"}
        ),
    ],
    f"POST {_V1}/summaries": [Case(ANYBODY, fixed(text="We met. We agreed."))],
    f"GET {_V1}/summaries/<id:summary_id>": [Case(MINE, shows=("posted",))],
    f"POST {_ONE}/segments/<number:index>/retranscribe": [
        Case(VIEW),
        Case(EDIT, fixed(apply=True), name="applied"),
    ],
    f"POST {_ONE}/retranscribe": [Case(VIEW, fixed(start=0.0, end=0.5))],
    f"POST {_V1}/transcriptions": [Case(ANYBODY, is_upload=True)],
    f"GET {_ONE}": [Case(VIEW, shows=_TEXTS)],
    f"PATCH {_ONE}": [
        Case(EDIT, fixed(title="New"), shows=("notes",)),
        Case(OWN, fixed(notes="New"), name="notes"),
        Case(OWN, fixed(is_inbox=False), name="inbox"),
        Case(OWN, lambda ids: {"folder_id": ids["folder_id"]}, name="folder"),
    ],
    f"DELETE {_ONE}": [Case(OWN)],
    f"POST {_R}/merge": [
        Case(
            # The second one is not shown to those who may edit the first.
            but(EDIT, editor=404, lead=404),
            lambda ids: {"recording_ids": [ids["recording_id"], ids["other_recording_id"]]},
            shows=("title", "notes"),
        )
    ],
    f"POST {_ONE}/cut": [
        Case(EDIT, fixed(at=1.0), shows=("title", "notes")),
        Case(OWN, fixed(at=1.0, keep_original=False), name="without the original"),
    ],
    f"GET {_ONE}/status": [Case(VIEW)],
    f"GET {_ONE}/audio": [Case(VIEW), Case(VIEW, query="download=true", name="download")],
    f"GET {_ONE}/live": [Case(VIEW)],
    f"GET {_ONE}/transcript": [
        Case(VIEW, query=f"format={name}", shows=("said",), name=name)
        for name in ("json", "text", "srt", "vtt")
    ],
    f"PUT {_ONE}/transcript": [Case(EDIT, fixed(text="New words."))],
    f"GET {_ONE}/transcript/segments/<number:index>": [Case(VIEW, shows=("said", "speaker"))],
    f"PATCH {_ONE}/transcript/segments/<number:index>": [Case(EDIT, fixed(text="New words."))],
    f"DELETE {_ONE}/transcript/segments/<number:index>": [Case(EDIT)],
    f"POST {_ONE}/transcript/segments/<number:index>/split": [Case(EDIT, fixed(word=1))],
    f"POST {_ONE}/transcript/segments/merge": [Case(EDIT, fixed(first=0, last=1))],
    f"POST {_ONE}/transcript/segments/delete": [Case(EDIT, fixed(first=0, last=1))],
    f"POST {_ONE}/transcript/segments/speaker": [Case(EDIT, fixed(first=0, speaker="Somebody"))],
    f"GET {_ONE}/transcript/history": [Case(VIEW)],
    f"GET {_ONE}/transcript/history/<number:number>/diff": [Case(VIEW)],
    f"POST {_ONE}/transcript/history/<number:number>/restore": [Case(EDIT)],
    f"POST {_ONE}/transcript/undo": [Case(EDIT)],
    f"POST {_ONE}/transcript/redo": [Case(EDIT)],
    f"GET {_ONE}/summary": [Case(VIEW, shows=("summary",))],
    f"PUT {_ONE}/summary": [Case(EDIT, fixed(summary="New"))],
    f"GET {_ONE}/notes": [Case(VIEW, shows=("notes",))],
    f"PUT {_ONE}/notes": [Case(OWN, fixed(notes="New"))],
    f"POST {_ONE}/transcribe": [Case(EDIT, fixed(language="en"))],
    f"POST {_ONE}/summarize": [Case(EDIT, fixed(custom_prompt="Short."))],
    f"POST {_ONE}/extract": [Case(EDIT)],
    f"GET {_ONE}/insights": [Case(VIEW)],
    f"POST {_ONE}/chat": [Case(VIEW, fixed(message="What of the quarterly numbers?"))],
    f"POST {_ONE}/regenerate_title": [Case(EDIT)],
    f"GET {_ONE}/events": [Case(VIEW, shows=("event",))],
    f"GET {_ONE}/events/ics": [Case(VIEW, shows=("event",))],
    f"GET {_ONE}/export": [
        Case(VIEW, shows=("said", "summary", "notes", "tag")),
        # A template of another user does not exist, also for users who may see the recording.
        Case(MINE, query="template_id={template_id}", shows=("templatebody",), name="through a template"),
    ],
    f"POST {_V1}/chat": [
        Case(ANYBODY, fixed(message="What of the quarterly numbers?")),
        Case(ANYBODY, lambda ids: {"message": "Quarterly?", "tag_id": ids["tag_id"]}, name="tag"),
    ],
    f"GET {_V1}/search": [
        Case(ANYBODY, query="q=quarterly", shows=("title", "summary", "said", "notes", "tag", "othersaid")),
        *(
            Case(ANYBODY, query=f"q=quarterly&mode={mode}", shows=("said", "tag", "othersaid"), name=mode)
            for mode in ("meaning", "hybrid")
        ),
        Case(ANYBODY, query="q=quarterly&field=notes", shows=("notes",), name="notes"),
        Case(ANYBODY, query="q=quarterly&tag_id={tag_id}", shows=("title",), name="tag"),
        Case(ANYBODY, query="q=quarterly&folder_id={folder_id}", shows=("title",), name="folder"),
    ],
    f"GET {_V1}/calendar.ics": [Case(ANYBODY, shows=("event", "otherevent"))],
    f"GET {_ONE}/speakers": [Case(VIEW, shows=("speaker",))],
    f"PUT {_ONE}/speakers/assign": [Case(EDIT, fixed(speaker_map={"SPEAKER_01": "Somebody"}))],
    f"POST {_ONE}/speakers/identify": [Case(EDIT)],
    f"POST {_ONE}/tags": [Case(OWN, lambda ids: {"tag_ids": [ids["tag_id"]]})],
    f"PUT {_ONE}/tags": [Case(OWN, lambda ids: {"tag_ids": [ids["tag_id"]]}, shows=("tag",))],
    f"DELETE {_ONE}/tags/<id:tag_id>": [Case(OWN), Case(OWN, ids=_GROUPS_TAG, name="of a group")],
    f"GET {_ONE}/shares": [Case(OWN)],
    f"POST {_ONE}/shares": [Case(OWN, lambda ids: {"user_id": ids["user_id"]})],
    f"PATCH {_ONE}/shares/<id:share_id>": [Case(OWN, fixed(can_edit=True))],
    f"DELETE {_ONE}/shares/<id:share_id>": [
        Case(but(OWN, viewer="yes")),
        Case(but(OWN, editor="yes"), ids={"share_id": "editor_share_id"}, name="of the editor"),
    ],
    f"PATCH {_R}/batch": [
        Case(EACH, lambda ids: {"recording_ids": [ids["recording_id"]], "updates": {"is_inbox": False}})
    ],
    f"DELETE {_R}/batch": [Case(EACH, lambda ids: {"recording_ids": [ids["recording_id"]]})],
    f"POST {_R}/batch/replace": [
        Case(
            ANYBODY,
            lambda ids: {
                "find": "quarterly",
                "replace": "yearly",
                "preview": False,
                "recording_ids": [ids["recording_id"]],
            },
        ),
    ],
    f"POST {_R}/batch/transcribe": [Case(EACH, lambda ids: {"recording_ids": [ids["recording_id"]]})],
    f"GET {_V1}/jobs": [
        Case(ANYBODY, shows=("job",)),
        Case(ANYBODY, query="recording_id={recording_id}", shows=("job",), name="of a recording"),
    ],
    f"GET {_V1}/jobs/<id:job_id>": [Case(VIEW, shows=("job",))],
    f"POST {_V1}/jobs/<id:job_id>/cancel": [Case(EDIT, ids={"job_id": "queued_job_id"})],
    f"POST {_V1}/jobs/<id:job_id>/retry": [Case(EDIT)],
}

_FILING = {
    f"GET {_V1}/tags": [Case(ANYBODY, shows=("tag", "tagprompt", "grouptag"))],
    f"POST {_V1}/tags": [
        Case(ANYBODY, fixed(name="New")),
        Case(
            # Whether such a group exists is not shown: 403 either way (test_references.py).
            but(SITE_ADMIN, root=403, lead="yes"),
            lambda ids: {"name": "New", "group_id": ids["group_id"]},
            name="of a group",
        ),
    ],
    f"GET {_V1}/tags/<id:tag_id>": [
        Case(MINE, shows=("tag", "tagprompt")),
        Case(IN_GROUP, ids=_GROUPS_TAG, shows=("grouptag",), name="of a group"),
    ],
    f"PUT {_V1}/tags/<id:tag_id>": [
        Case(MINE, fixed(name="New")),
        Case(LEADS, fixed(name="New"), ids=_GROUPS_TAG, name="of a group"),
    ],
    f"PATCH {_V1}/tags/<id:tag_id>": [
        Case(MINE, fixed(name="New")),
        Case(LEADS, fixed(name="New"), ids=_GROUPS_TAG, name="of a group"),
    ],
    f"DELETE {_V1}/tags/<id:tag_id>": [Case(MINE), Case(LEADS, ids=_GROUPS_TAG, name="of a group")],
    f"GET {_V1}/folders": [Case(ANYBODY, shows=("folder", "folderprompt", "groupfolder", "group"))],
    f"POST {_V1}/folders": [
        Case(ANYBODY, fixed(name="New")),
        Case(
            but(SITE_ADMIN, root=403, lead="yes"),
            lambda ids: {"name": "New", "group_id": ids["group_id"]},
            name="of a group",
        ),
    ],
    f"GET {_V1}/folders/<id:folder_id>": [
        Case(MINE, shows=("folder", "folderprompt")),
        Case(IN_GROUP, ids=_GROUPS_FOLDER, shows=("groupfolder",), name="of a group"),
    ],
    **{
        f"{method} {_V1}/folders/<id:folder_id>": [
            Case(MINE, fixed(name="New")),
            Case(LEADS, fixed(name="New"), ids=_GROUPS_FOLDER, name="of a group"),
        ]
        for method in ("PATCH", "PUT")
    },
    f"DELETE {_V1}/folders/<id:folder_id>": [
        Case(MINE),
        Case(LEADS, ids=_GROUPS_FOLDER, name="of a group"),
    ],
    f"GET {_V1}/speakers": [Case(ANYBODY, shows=("speaker", "acquaintance"))],
    f"POST {_V1}/speakers": [Case(ANYBODY, fixed(name="New"))],
    f"PUT {_V1}/speakers/<id:speaker_id>": [Case(MINE, fixed(name="New"))],
    f"DELETE {_V1}/speakers/<id:speaker_id>": [Case(MINE)],
    f"POST {_V1}/speakers/<id:speaker_id>/split": [
        Case(MINE, lambda ids: {"name": "New", "recording_ids": [ids["recording_id"]]})
    ],
    f"POST {_V1}/speakers/<id:speaker_id>/merge": [
        Case(MINE, lambda ids: {"into_id": ids["other_speaker_id"]}, shows=("acquaintance",))
    ],
}

_TEMPLATE = f"{_V1}/templates/<id:template_id>"
_TEMPLATES = {
    f"GET {_V1}/templates": [Case(ANYBODY, shows=("template", "templatebody"))],
    f"POST {_V1}/templates": [Case(ANYBODY, fixed(kind="export", name="New", body="{{title}}"))],
    f"GET {_TEMPLATE}": [Case(MINE, shows=("template", "templatebody"))],
    f"PATCH {_TEMPLATE}": [Case(MINE, fixed(name="New"))],
    f"DELETE {_TEMPLATE}": [Case(MINE)],
    f"POST {_TEMPLATE}/default": [Case(MINE)],
}

_WEBHOOK = fixed(name="n", url="http://127.0.0.1:8765/", events=["recording.created"], allow_http=True)
_WEBHOOKS = {
    f"GET {_V1}/webhooks": [Case(ANYBODY, shows=("webhook", "webhookurl"))],
    f"POST {_V1}/webhooks": [Case(ANYBODY, _WEBHOOK)],
    f"GET {_V1}/webhooks/<id:webhook_id>": [Case(MINE, shows=("webhook", "webhookurl"))],
    f"PATCH {_V1}/webhooks/<id:webhook_id>": [Case(MINE, fixed(name="New"))],
    f"DELETE {_V1}/webhooks/<id:webhook_id>": [Case(MINE)],
    f"POST {_V1}/webhooks/<id:webhook_id>/rotate-secret": [Case(MINE)],
    f"POST {_V1}/webhooks/<id:webhook_id>/test": [Case(MINE)],
    f"GET {_V1}/webhooks/<id:webhook_id>/deliveries": [Case(MINE, shows=("preview",))],
    f"GET {_V1}/webhooks/<id:webhook_id>/deliveries/<id:delivery_id>": [
        Case(MINE, shows=("body", "preview"))
    ],
    f"POST {_V1}/webhooks/<id:webhook_id>/deliveries/<id:delivery_id>/replay": [Case(MINE)],
    f"POST {_V1}/webhooks/<id:webhook_id>/deliveries/<id:delivery_id>/cancel": [
        Case(MINE, ids={"delivery_id": "waiting_delivery_id"})
    ],
    f"POST {_V1}/webhooks/<id:webhook_id>/cancel": [Case(MINE)],
    f"POST {_V1}/webhooks/<id:webhook_id>/recover": [Case(MINE, fixed(since="2024-01-01T00:00:00Z"))],
    f"GET {_V1}/webhooks/sample": [Case(ANYBODY)],
    f"GET {_V1}/events": [Case(ANYBODY, shows=("body",))],
    f"GET {_V1}/notices": [Case(ANYBODY, shows=("notice",))],
    f"POST {_V1}/notices/<id:notice_id>/read": [Case(MINE, shows=("notice",))],
}

_PEOPLE = {
    f"POST {_V1}/auth/logout": [Case(LOGGED_IN)],
    f"GET {_V1}/auth/me": [Case(ANYBODY, shows=("email", "company", "prompt"))],
    f"GET {_V1}/users/me": [Case(ANYBODY, shows=("email", "company", "prompt"))],
    f"PATCH {_V1}/users/me": [Case(ANYBODY, fixed(job_title="New"), shows=("email",))],
    f"POST {_V1}/users/me/email/verification": [Case(ANYBODY)],
    f"POST {_V1}/users/me/email/verify": [Case(MINE, lambda ids: {"code": ids["code"]}, shows=("email",))],
    f"DELETE {_V1}/users/me/voices": [Case(ANYBODY)],
    f"GET {_V1}/users": [Case(ANYBODY, query="query=ali")],
    f"PUT {_V1}/settings/auto-summarization": [Case(ANYBODY, fixed(enabled=False))],
    f"GET {_V1}/stats": [Case(ANYBODY), Case(SITE_ADMIN, query="scope=all", name="of everybody")],
    f"GET {_V1}/stats/homepage.yaml": [Case(ANYBODY)],
    f"GET {_V1}/transcription": [Case(ANYBODY)],
    f"GET {_V1}/groups": [
        Case(ANYBODY, shows=("group", "groupabout")),
        Case(SITE_ADMIN, query="all=true", name="of everybody"),
    ],
    f"POST {_V1}/groups": [Case(SITE_ADMIN, fixed(name="New"))],
    f"GET {_V1}/groups/<id:group_id>": [Case(GROUP, shows=("group", "groupabout"))],
    f"PATCH {_V1}/groups/<id:group_id>": [Case(MANAGES, fixed(name="New"))],
    f"DELETE {_V1}/groups/<id:group_id>": [Case(MANAGES)],
    f"GET {_V1}/groups/<id:group_id>/members": [Case(GROUP)],
    f"POST {_V1}/groups/<id:group_id>/members": [Case(MANAGES, fixed(username="vera"))],
    f"PATCH {_V1}/groups/<id:group_id>/members/<id:user_id>": [Case(MANAGES, fixed(role="admin"))],
    f"DELETE {_V1}/groups/<id:group_id>/members/<id:user_id>": [Case(but(MANAGES, member="yes"))],
    f"GET {_V1}/admin/users": [Case(SITE_ADMIN)],
    f"POST {_V1}/admin/users": [Case(SITE_ADMIN, fixed(username="new"))],
    f"GET {_V1}/admin/users/<id:user_id>": [Case(SITE_ADMIN)],
    f"PATCH {_V1}/admin/users/<id:user_id>": [Case(SITE_ADMIN, fixed(is_active=False))],
    f"DELETE {_V1}/admin/users/<id:user_id>": [Case(SITE_ADMIN)],
    f"DELETE {_V1}/admin/users/<id:user_id>/credentials": [Case(SITE_ADMIN)],
    f"GET {_V1}/retention": [Case(ANYBODY)],
    f"GET {_V1}/admin/retention": [Case(SITE_ADMIN)],
    f"POST {_V1}/admin/retention": [Case(SITE_ADMIN), Case(SITE_ADMIN, fixed(dry_run=False), name="now")],
    f"GET {_V1}/admin/settings": [Case(SITE_ADMIN)],
    f"PATCH {_V1}/admin/settings": [Case(SITE_ADMIN, fixed(retention_days=30))],
    f"DELETE {_V1}/admin/settings/<string:name>": [Case(SITE_ADMIN)],
}

_TOKENS = {
    f"{method} {prefix}/tokens{rest}": cases
    for prefix in (_V1, "/api")
    for method, rest, cases in (
        ("GET", "", [Case(ANYBODY, shows=("token",))]),
        ("POST", "", [Case(ANYBODY, fixed(name="New"))]),
        ("PATCH", "/<id:token_id>", [Case(MINE, fixed(name="New"))]),
        ("DELETE", "/<id:token_id>", [Case(MINE)]),
    )
}

ROUTES: dict[str, Sequence[Case]] = {
    **_RECORDINGS,
    **_FILING,
    **_TEMPLATES,
    **_WEBHOOKS,
    **_PEOPLE,
    **_TOKENS,
    **{route: cases for rows in family_rows() for route, cases in rows.routes.items()},
}
"""`METHOD /rule` -> the ways it is called."""
