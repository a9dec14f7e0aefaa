"""Errors of the client; every message is a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class ClientError(Exception):
    """Base of everything the client raises on purpose."""


class ApiError(ClientError):
    """The server, or a proxy in front of it, answered with an error.

    `code` is the server's stable word for it (docs/api lists them), `errors` what is wrong with which field, and
    `request_id` leads the operator to the cause. An answer that did not come from Speakr has the code `not_speakr`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        errors: Mapping[str, Sequence[str]] | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = dict(errors or {})
        self.request_id = request_id


class Unreachable(ClientError):
    """No answer came, however often it was tried."""


class FileTrouble(ClientError):
    """The file could not be read to its end, or changed while it was being sent; nothing was stored."""


class TookTooLong(ClientError):
    """The recording was not done within the time limit; the server continues with it."""
