"""Which notices go out by mail, and to whom. The dispatcher sends them; without a mail server nobody asks here."""

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

NEWS = timedelta(days=1)
"""What is older stays in the app: who sets a mail server up must not be sent the past."""

PAUSE = timedelta(minutes=10)
"""Between two letters to one user: whoever pauses a webhook on purpose must not fill a mailbox with it."""

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class NoticeEmail:
    """The notices that one user is to be sent now."""

    address: str
    notice_ids: Sequence[int]
    texts: Sequence[str]


def letters() -> list[NoticeEmail]:
    """Return what is to be sent: unread notices of users who have an address and had no mail just now."""
    moment = now()
    earlier = aliased(Notice)
    had_mail = select(earlier.id).where(earlier.user_id == Notice.user_id, earlier.mailed_at > moment - PAUSE)
    rows = db.session.execute(
        select(Notice.id, Notice.text, User.email)
        .join(User, User.id == Notice.user_id)
        .where(
            Notice.mailed_at.is_(None),
            Notice.read_at.is_(None),
            Notice.created_at > moment - NEWS,
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


def claim(letter: NoticeEmail) -> bool:
    """Note that a letter is being sent; return whether it is ours to send, all of it."""
    claimed = db.session.scalars(
        update(Notice)
        .where(Notice.id.in_(letter.notice_ids), Notice.mailed_at.is_(None))
        .values(mailed_at=now())
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    ).all()
    if 0 < len(claimed) < len(letter.notice_ids):
        put_back(claimed)  # somebody else sends some of it; the rest goes next time
    return len(claimed) == len(letter.notice_ids)


def put_back(notice_ids: Collection[int]) -> None:
    """Note that these were not sent after all."""
    db.session.execute(
        update(Notice)
        .where(Notice.id.in_(notice_ids))
        .values(mailed_at=None)
        .execution_options(synchronize_session=False)
    )
