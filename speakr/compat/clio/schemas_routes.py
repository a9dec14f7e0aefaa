"""Clio's routes as declarations: path, access, schemas and operation id. `accounts.py` and `notes.py` have the views."""

from __future__ import annotations

from typing import Any, Final

from speakr.compat.clio import schemas_accounts as accounts
from speakr.compat.clio import schemas_notes as notes
from speakr.compat.clio.noun import ANONYMOUS_RATE, MEDIA, PREFIX, USER_RATE, noun
from speakr.domain.permissions import Scope
from speakr.web.authenticators.jwt_pair import JwtPair
from speakr.web.identity import needs, public
from speakr.web.multipart import multipart_body
from speakr.web.signed_media import ROUTE
from speakr.web.tag_routes import TagRoutes
from speakr.web.token_routes import Exchange, TokenRoutes

_READ, _WRITE, _PROCESS = (needs(scope, USER_RATE) for scope in (Scope.READ, Scope.WRITE, Scope.PROCESS))
_NOTE = "/notes/<id:note_id>/"
_AUDIO: Any = {"type": "string", "format": "binary"}

_accounts = noun("accounts", "Accounts and tokens")
_notes = noun("notes", "Audio with its text")
_tags = noun("tags", "Labels for notes")
_transcribe = noun("transcribe", "Transcription without a note")
_stats = noun("stats", "Figures")
_media = noun("media", "The audio of notes", prefix=f"{PREFIX}{MEDIA.path}")
_health = noun("health", "Whether the server answers")
BLUEPRINTS: Final = (_accounts, _notes, _tags, _transcribe, _stats, _media, _health)


def add_tokens(pairs: JwtPair) -> None:
    """Add the routes that give and end tokens."""
    TokenRoutes(
        pairs=pairs,
        public_rate=ANONYMOUS_RATE,
        user_rate=USER_RATE,
        register=Exchange(takes=accounts.RegisterIn, gives=accounts.RegisteredAnswerOut),
        login=Exchange(takes=accounts.LoginIn, gives=accounts.TokensOut),
        refresh=Exchange(takes=accounts.RefreshIn, gives=accounts.TokensOut),
        logout=Exchange(takes=accounts.LogoutIn, gives=accounts.AnswerOut),
        show_user=lambda user: accounts.UserOut().dump({"user": user}),
        registered=accounts.registered,
        tokens=accounts.tokens,
        logged_out={"success": True, "message": "Logged out successfully"},
    ).add(_accounts)


TagRoutes(
    rate=USER_RATE,
    created=notes.TagIn,
    changed=notes.TagUpdateIn,
    shown=notes.TagOut,
    operation_prefix="clio",
).add(_tags)

GET_PROFILE = _accounts.operation("GET", "/auth/profile/", _READ, gives=accounts.ProfileAnswerOut)
CHANGE_PROFILE = _accounts.operation(
    ("PUT", "PATCH"), "/auth/profile/", _WRITE, takes=accounts.ProfileIn, gives=accounts.ProfileAnswerOut
)
GET_STATS = _stats.operation("GET", "/stats/", _READ, gives=accounts.StatsAnswerOut)
GET_HEALTH = _health.operation("GET", "/health/", public, gives=accounts.HealthOut)

LIST_NOTES = _notes.operation(
    "GET",
    "/notes/",
    _READ,
    takes=notes.NoteQuery,
    location="query",
    gives=notes.NoteListOut,
    name="clioListNotes",
)
CREATE_NOTE = _notes.operation(
    "POST",
    "/notes/",
    _WRITE,
    gives=notes.NoteCreatedOut,
    status=201,
    name="clioCreateNote",
    **multipart_body(notes.NoteForm),
)
GET_NOTE = _notes.operation("GET", _NOTE, _READ, gives=notes.NoteOut, name="clioGetNote")
REPLACE_NOTE, UPDATE_NOTE = (
    _notes.operation(method, _NOTE, _WRITE, takes=notes.NoteUpdateIn, gives=notes.NoteOut, name=name)
    for method, name in (("PUT", "clioReplaceNote"), ("PATCH", "clioUpdateNote"))
)
DELETE_NOTE = _notes.operation("DELETE", _NOTE, _WRITE, gives=notes.DoneOut, name="clioDeleteNote")
RETRANSCRIBE_NOTE = _notes.operation(
    "POST",
    f"{_NOTE}retranscribe/",
    _PROCESS,
    takes=notes.RetranscribeIn,
    gives=notes.RetranscribedOut,
    name="clioRetranscribeNote",
)
TRANSCRIBE = _transcribe.operation(
    "POST",
    "/transcribe/",
    _PROCESS,
    gives=notes.TranscribedOut,
    name="clioTranscribe",
    **multipart_body(notes.TranscribeForm),
)
GET_AUDIO = _media.operation(
    "GET",
    ROUTE,
    needs(Scope.READ, None),
    gives=_AUDIO,
    content_type="audio/*",
    also={206: _AUDIO},
    name="clioGetAudio",
)
