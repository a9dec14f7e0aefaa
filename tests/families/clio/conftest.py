"""Notes of Alice, through Clio's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Person, wav

API = "/clio/api"


BOUNDARY = "a-boundary-of-the-tests"


def audio_form(
    data: bytes | None, filename: str = "memo.wav", kind: str = "audio/wav", **fields: Any
) -> dict[str, Any]:
    """Return the arguments of a request with a form: an audio file, unless there is none, and fields."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, values in fields.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    if data is not None:
        disposition = f'form-data; name="audio_file"; filename="{filename}"'
        head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\nContent-Type: {kind}\r\n\r\n"
        parts += [head.encode(), data, b"\r\n"]
    body = b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
    return {"data": body, "content_type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture
def make_note(alice: Person, work: Callable[[], None]) -> Callable[..., Any]:
    """Upload a file as a note and wait for its text; return the note as it is then."""

    def make(
        data: bytes | None = None,
        *,
        person: Person = alice,
        is_done: bool = True,
        **form: Any,
    ) -> Any:
        answer = person.post(f"{API}/notes/", **audio_form(data or wav(1.0), **form))
        assert answer.status_code == 201, answer.json
        note = answer.json["data"]
        if is_done:
            work()
            note = person.get(f"{API}/notes/{note['id']}/").json
        return note

    return make
