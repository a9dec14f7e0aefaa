"""Clio's routes for `test_no_route_is_forgotten`: which are public, and which need a credential."""

PUBLIC = {
    "GET /clio/api/health/",
    "GET /clio/api/schema/",
    "GET /clio/api/docs/",
    "GET /clio/api/redoc/",
    "GET /clio/api/redoc/redoc.js",
    "GET /clio/api/docs/<path:path>",
    "POST /clio/api/auth/register/",
    "POST /clio/api/auth/login/",
    "POST /clio/api/auth/refresh/",
}
NEEDS_CREDENTIAL = {
    "POST /clio/api/auth/logout/",
    "GET /clio/api/auth/profile/",
    "PUT /clio/api/auth/profile/",
    "PATCH /clio/api/auth/profile/",
    "GET /clio/api/stats/",
    "GET /clio/api/notes/",
    "POST /clio/api/notes/",
    *(f"{method} /clio/api/notes/<id:note_id>/" for method in ("GET", "PUT", "PATCH", "DELETE")),
    "POST /clio/api/notes/<id:note_id>/retranscribe/",
    "GET /clio/api/tags/",
    "POST /clio/api/tags/",
    *(f"{method} /clio/api/tags/<id:tag_id>/" for method in ("GET", "PUT", "PATCH", "DELETE")),
    "POST /clio/api/transcribe/",
    "GET /clio/media/audio/<id:user_id>/<id:recording_id>_<name>",
}
