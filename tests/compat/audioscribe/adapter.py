"""AudioScribe shows recordings; it uploads and edits none."""

from __future__ import annotations

from tests.compat.adapters import Adapter, Shown
from tests.intake.server import IntakeServer

_SESSIONS = "/api/v1/audioscribe/sessions/"


def _show(server: IntakeServer, recording_id: int) -> Shown:
    session = server.get(f"{_SESSIONS}{recording_id}/")
    return Shown(session["title"], session["note"], None)


def _listed(server: IntakeServer) -> set[int]:
    return {session["id"] for session in server.get(_SESSIONS)}


ADAPTER = Adapter(name="audioscribe", show=_show, listed=_listed)
