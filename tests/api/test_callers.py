"""Requests compute in the turn of their user, or of their client's address while they have none."""

from __future__ import annotations

import contextvars

import pytest

from speakr import offload
from tests.conftest import Person

pytestmark = pytest.mark.on_sqlite


def test_the_turn_of_a_request_is_that_of_its_user(
    alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Hub:
        threadpool = None

    def note(_pool: object, work: object) -> bool:
        del work
        seen.append(offload.caller.get())
        return False

    def guess(address: str) -> None:
        environ = {"REMOTE_ADDR": address}
        answer = alice.client.post("/api/tokens", auth=(alice.name, "wrong"), environ_overrides=environ)
        assert answer.get_json()["code"] == "wrong_password"

    def ask() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(offload, "_hub", Hub)
            patched.setattr(offload, "_cpu_pool", lambda _: None)
            patched.setattr(offload, "_run_in", note)
            guess("192.0.2.7")
            guess("2001:db8::1")
        for person in (alice, bob):
            assert person.get("/api/v1/recordings").status_code == 200
            seen.append(offload.caller.get())

    contextvars.copy_context().run(ask)
    assert seen == ["192.0.2.7", "2001:db8::/64", alice.id, bob.id]
