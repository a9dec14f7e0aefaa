"""The API of Clio Voice Notes as a family: its routes, credentials, limits, CORS policy, documents and error format."""

from __future__ import annotations

from speakr.compat.clio import accounts, notes
from speakr.compat.clio.noun import ANONYMOUS_RATE, MEDIA, PREFIX, USER_RATE
from speakr.web.authenticators.api_token import ApiToken
from speakr.web.cors import CorsPolicy
from speakr.web.described import Description
from speakr.web.documents import Documents
from speakr.web.families import ApiFamily
from speakr.web.field_errors import FieldErrors

DESCRIPTION = Description(
    name="clio", title="Clio Voice Notes", blueprints=(accounts.blp, notes.blp, notes.media)
)

DEVELOPED_AT = tuple(f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in (3000, 3011))
"""Origins of Clio's web client while it is developed; SPEAKR_CORS_ORIGINS adds those of an installation."""
_ERRORS = FieldErrors(
    file_field=notes.FILE["file_field"],
    fields={"storage_quota_exceeded": "storage", "no_text_yet": "transcription"},
    statuses={"storage_quota_exceeded": 413},
    messages={"no_text_yet": "The note has no text yet."},
)

FAMILY = ApiFamily(
    name="clio",
    prefix=PREFIX,
    register=DESCRIPTION.register,
    authenticators=(
        MEDIA,
        accounts.PAIRS.in_header,
        ApiToken(headers=(), query_parameter=None),
        accounts.PAIRS.in_cookie,
    ),
    render=_ERRORS.render,
    rates={USER_RATE: "rate_limit_compat_user", ANONYMOUS_RATE: "rate_limit_compat_anonymous"},
    cors=CorsPolicy(allows_credentials=True, further_origins=DEVELOPED_AT),
    documents=Documents(build=DESCRIPTION.build, path="/api/schema/", page="/api/docs", redoc="/api/redoc"),
    challenge="Bearer",
    credential_hint="Authentication credentials were not provided.",
)
