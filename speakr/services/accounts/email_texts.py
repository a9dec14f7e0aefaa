"""The texts of e-mails.

A verification may reach a stranger, so it contains no text of users. Notices contain the name of a webhook, shortened and
without anything that a mail program would show as a link.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from speakr.backends import get_backends
from speakr.domain.emails import EmailKind
from speakr.models import Email
from speakr.services.accounts import email_codes

SUBJECTS: Mapping[EmailKind, str] = {
    EmailKind.NOTICES: "Speakr: a webhook is paused",
    EmailKind.VERIFICATION: "Speakr: confirm your e-mail address",
}

VERIFICATION_PATH = "/api/v1/email/verify"
"""The page that the link in a verification opens."""

MAX_NAME_LENGTH = 40
"""Characters of a name that a user chose."""

_QUOTED_NAME = re.compile("\u201c(.*)\u201d", re.DOTALL)
_NOT_PLAIN = re.compile(r"[^\w -]+")
_FOOTER = "This message was sent by a Speakr server."


def verification(email: Email) -> str:
    """Return the text that asks the owner of an address to confirm it.

    Without `SPEAKR_PUBLIC_URL` it has no link: an address taken from a request could lead to another server.
    """
    code = email_codes.code_of(email)
    public_url = get_backends().settings.public_url.rstrip("/")
    if public_url:
        way = f"To confirm it, open this page:\n\n{public_url}{VERIFICATION_PATH}?{urlencode({'code': code})}"
    else:
        way = f"To confirm it, run this command with your account:\n\nspeakr verify-email {code}"
    hours = int(email_codes.LIFETIME.total_seconds() // 3600)
    return (
        "A user of a Speakr server entered this e-mail address as their own.\n\n"
        f"{way}\n\n"
        f"It works once, within {hours} hours. If this was not you, ignore this message: nothing else will be sent here.\n"
    )


def notices(texts: Sequence[str]) -> str:
    """Return the text that reports notices to their user."""
    return "\n\n".join([*map(_without_links, texts), _FOOTER]) + "\n"


def _without_links(text: str) -> str:
    return _QUOTED_NAME.sub(lambda match: f"\u201c{plain_name(match[1])}\u201d", text)


def plain_name(name: str) -> str:
    """Reduce a name to letters, digits, spaces, hyphens and underscores, so that it cannot be a link, and shorten it."""
    plain = " ".join(_NOT_PLAIN.sub(" ", name).split())
    return plain if len(plain) <= MAX_NAME_LENGTH else f"{plain[:MAX_NAME_LENGTH].rstrip()}\u2026"
