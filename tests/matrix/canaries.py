"""Strings that occur nowhere else, one in each kind of object, and who may read them."""

from __future__ import annotations

SHARED = frozenset({"title", "summary", "said", "participant", "event", "filename", "speaker", "job"})
"""What any recipient of a recording may read."""

PRIVATE = frozenset(
    {
        "notes", "tag", "tagprompt", "folder", "folderprompt", "webhook", "webhookurl", "body",
        "preview", "notice", "token", "acquaintance", "template", "templatebody", "othertitle",
        "othersaid", "othersummary", "othernotes", "otherevent", "company", "prompt", "secret",
        "hotwords", "posted", "uploadname", "uploadtitle",
    }
)  # fmt: skip
"""What only the owner may read."""

GROUPS = frozenset({"group", "groupabout", "grouptag", "groupfolder"})
ACCOUNT = frozenset({"email"})


def canary(kind: str) -> str:
    """Return the string planted in one kind of thing."""
    return f"qz{kind}zq"


SEEN_BY: dict[str, frozenset[str]] = {
    "stranger": frozenset(),
    "root": frozenset({"group", "groupabout"}) | ACCOUNT,
    "viewer": SHARED,
    "editor": SHARED,
    "member": SHARED | GROUPS,
    "lead": SHARED | GROUPS,
    "owner": SHARED | PRIVATE | GROUPS | ACCOUNT,
}
ALL = SEEN_BY["owner"]


def leaks(role: str, text: str) -> list[str]:
    """Return which strings stand in an answer that this role may not read."""
    return sorted(kind for kind in ALL - SEEN_BY[role] if canary(kind) in text)
