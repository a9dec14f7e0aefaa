"""Shares: given, changed, taken back, done without."""

from __future__ import annotations

from tests.conftest import Person
from tests.sharing.conftest import R, job_of
from tests.sharing.routes import STRANGER, every_route


def test_the_owner_gives_changes_and_takes_back(
    alice: Person, bob: Person, make_person, recording: int, share
) -> None:
    address = f"{R}/{recording}/shares"
    share_id = share(bob)
    (listed,) = alice.get(address).json["shares"]
    assert (listed["username"], listed["can_edit"], listed["recording_id"]) == ("bob", False, recording)
    assert share(bob, can_edit=True) == share_id  # a second time changes the first
    assert [row["can_edit"] for row in alice.get(address).json["shares"]] == [True]
    assert alice.patch(f"{address}/{share_id}", json={"can_edit": False}).json["can_edit"] is False
    assert bob.patch(f"{R}/{recording}", json={"title": "x"}).status_code == 403
    assert bob.patch(f"{address}/{share_id}", json={"can_edit": True}).status_code == 403
    stranger = make_person("mallory")
    assert stranger.delete(f"{address}/{share_id}").status_code == 404
    assert stranger.patch(f"{address}/{share_id}", json={"can_edit": True}).status_code == 404
    assert alice.delete(f"{address}/{share_id}").status_code == 204
    assert every_route(bob, recording, job_of(recording)) == STRANGER
    assert alice.delete(f"{address}/{share_id}").status_code == 404
    assert alice.patch(f"{address}/{share_id}", json={"can_edit": True}).status_code == 404


def test_recipients_may_do_without(bob: Person, make_person, recording: int, share) -> None:
    carol = make_person("carol")
    bobs, carols = share(bob), share(carol)
    assert bob.delete(f"{R}/{recording}/shares/{carols}").status_code == 403
    assert bob.delete(f"{R}/{recording + 1}/shares/{bobs}").status_code == 404
    assert bob.delete(f"{R}/{recording}/shares/{bobs}").status_code == 204
    assert bob.get(f"{R}/{recording}").status_code == 404
    assert carol.get(f"{R}/{recording}").status_code == 200


def test_whom_one_cannot_share_with(alice: Person, bob: Person, recording: int) -> None:
    address = f"{R}/{recording}/shares"
    oneself = alice.post(address, json={"username": "alice"})
    assert (oneself.status_code, oneself.json["code"]) == (400, "share_with_oneself")
    for body in ({"username": "nobody"}, {"user_id": 2_000_000_000}):
        assert alice.post(address, json=body).status_code == 404
    for body in ({}, {"user_id": bob.id, "username": "bob"}, {"user_id": bob.id, "can_edit": "yes"}):
        assert alice.post(address, json=body).status_code == 400
    assert alice.get(address).json["shares"] == []
