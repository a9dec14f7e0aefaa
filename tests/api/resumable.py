"""Requests of tus 1.0 from a user, in this process."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from tests.conftest import Person

UPLOADS = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


def metadata(**fields: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in fields.items())


def checksum(data: bytes, algorithm: str = "sha1") -> dict[str, str]:
    digest = hashlib.new(algorithm, data).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


def open_upload(person: Person, size: int, data: bytes | None = None, **fields: str) -> Any:
    """Create an upload and return the response; `data` are its first bytes."""
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata(**fields)}
    sent = {} if data is None else {"data": data, "content_type": BYTES}
    return person.post(UPLOADS, headers=headers, **sent)


def address(person: Person, size: int, **fields: str) -> str:
    """Create an upload and return its address."""
    answer = open_upload(person, size, **fields)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def send(person: Person, path: str, data: bytes, offset: int, **headers: str) -> Any:
    """Send bytes from an offset on."""
    return person.patch(
        path, data=data, content_type=BYTES, headers={**TUS, "Upload-Offset": str(offset), **headers}
    )


def offset_of(person: Person, path: str) -> int:
    answer = person.head(path, headers=TUS)
    assert answer.status_code == 200, answer.status_code
    return int(answer.headers["Upload-Offset"])
