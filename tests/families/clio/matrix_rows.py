"""Clio's routes for `test_no_route_is_forgotten`: which are public, and which need a credential."""

PUBLIC = {
    "GET /clio/api/health/",
    "GET /clio/api/schema/",
    "GET /clio/api/docs/",
    "GET /clio/api/docs/<path:path>",
}
NEEDS_CREDENTIAL: set[str] = set()
