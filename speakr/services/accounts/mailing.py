"""Select and claim the notices that the dispatcher sends by e-mail. Only used when a mail server is configured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import aliased

from speakr.db import db
from speakr.domain.clock import now
from speakr.models import Notice, User

MAX_AGE = timedelta(days=1)
"""Older notices are shown in the app only: a mail server that is configured later must not send a backlog."""

MIN_INTERVAL = timedelta(minutes=10)
"""Minimum time between two e-mails to one user, so that a paused and resumed webhook cannot fill a mailbox."""

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class NoticeEmail:
    """The notices that one e-mail sends to one user."""

    address: str
    notice_ids: Sequence[int]
    texts: Sequence[str]


def pending_emails() -> list[NoticeEmail]:
    """Return the e-mails to send: unread notices of users with an address and no e-mail within the last `MIN_INTERVAL`."""
    moment = now()
    earlier = aliased(Notice)
    had_mail = select(earlier.id).where(
        earlier.user_id == Notice.user_id, earlier.mailed_at > moment - MIN_INTERVAL
    )
    rows = db.session.execute(
        select(Notice.id, Notice.text, User.email)
        .join(User, User.id == Notice.user_id)
        .where(
            Notice.mailed_at.is_(None),
            Notice.read_at.is_(None),
            Notice.created_at > moment - MAX_AGE,
            User.email.is_not(None),
            User.is_active,
            ~had_mail.exists(),
        )
        .order_by(Notice.id)
        .limit(_AT_ONCE)
    ).all()
    by_address: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for notice_id, text, address in rows:
        by_address[str(address)].append((notice_id, text))
    return [
        NoticeEmail(address, [number for number, _ in found], [text for _, text in found])
        for address, found in by_address.items()
    ]


def claim(email: NoticeEmail) -> bool:
    """Record that an e-mail is being sent; return whether the caller has claimed all its notices and may send it."""
    claimed = db.session.scalars(
        update(Notice)
        .where(Notice.id.in_(email.notice_ids), Notice.mailed_at.is_(None))
        .values(mailed_at=now())
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    ).all()
    if 0 < len(claimed) < len(email.notice_ids):
        put_back(claimed)  # another process sends some of them; the rest follows next time
    return len(claimed) == len(email.notice_ids)


def put_back(notice_ids: Collection[int]) -> None:
    """Record that these notices were not sent."""
    db.session.execute(
        update(Notice)
        .where(Notice.id.in_(notice_ids))
        .values(mailed_at=None)
        .execution_options(synchronize_session=False)
    )
