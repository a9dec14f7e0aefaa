"""How tests upload, show and edit one recording through each API family.

Each family's tests have a module `adapter` with `ADAPTER`. Ids are those of the native API, whatever the family calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from speakr.app import FAMILIES
from tests.intake.server import IntakeServer
from tests.matrix.families import module_of


@dataclass(frozen=True, slots=True)
class Shown:
    """A recording as a family shows it; None for what the family does not show at all."""

    title: str | None
    text: str | None
    duration_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """What a family can do, always as Alice; None for what its API does not have."""

    name: str
    upload: Callable[[IntakeServer, bytes, str], int] | None = None
    """Upload a file with a title; return the native id. It need not wait for the transcript."""
    show: Callable[[IntakeServer, int], Shown] | None = None
    """Return what one recording looks like. The recording is finished, so a failed request fails the test."""
    listed: Callable[[IntakeServer], set[int]] | None = None
    """Return the native ids of the first page of the list."""
    edit: Callable[[IntakeServer, int, str], None] | None = None
    """Replace the text of the transcript."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the family needs."""


def _upload(server: IntakeServer, audio: bytes, title: str) -> int:
    answer = server.upload(audio, title=title)
    assert answer.status_code == 202, answer.text
    return int(answer.json()["id"])


def _show(server: IntakeServer, recording_id: int) -> Shown:
    recording = server.get(f"/api/v1/recordings/{recording_id}")
    segments = server.get(f"/api/v1/recordings/{recording_id}/transcript?format=json")["segments"]
    text = " ".join(segment["sentence"] for segment in segments)
    return Shown(recording["title"], text, recording["audio_duration"])


def _listed(server: IntakeServer) -> set[int]:
    return {recording["id"] for recording in server.get("/api/v1/recordings")["recordings"]}


def _edit(server: IntakeServer, recording_id: int, text: str) -> None:
    answer = server.request("PUT", f"/api/v1/recordings/{recording_id}/transcript", json={"text": text})
    assert answer.status_code == 200, answer.text


NATIVE = Adapter(name="native", upload=_upload, show=_show, listed=_listed, edit=_edit)


def adapters() -> dict[str, Adapter]:
    """Return the adapters of all families by their line in `FAMILIES`."""
    found = {FAMILIES[0]: NATIVE}
    for path in FAMILIES[1:]:
        module = module_of(path, "adapter")
        assert module is not None, f"{path}: its tests have no module `adapter`"
        found[path] = module.ADAPTER
    return found
