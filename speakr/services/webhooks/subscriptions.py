"""Select the webhooks to which events are sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, or_, select

from speakr.db import db
from speakr.domain.webhooks import WhenPaused
from speakr.models import Event, Recording, RecordingTag, User, Webhook
from speakr.services.webhooks import flat_payloads

_AT_ONCE = 1_000


@dataclass(slots=True)
class _Places:
    """The tags and folders of recordings, as far as filters of webhooks use them."""

    tags: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    folders: dict[int, int] = field(default_factory=dict)

    def has(self, recording_id: int | None, webhook: Webhook) -> bool:
        """Tell whether a recording matches a webhook's filters."""
        number = recording_id or 0
        return (not webhook.tag_ids or not self.tags[number].isdisjoint(webhook.tag_ids)) and (
            not webhook.folder_ids or self.folders.get(number) in webhook.folder_ids
        )


def webhooks_for(user_id: int, new_events: Sequence[Event]) -> Iterator[tuple[Event, Webhook]]:
    """Yield each event with each webhook that it is sent to.

    Filters match the current tags and folder of a recording: after a change, and before a deletion.
    """
    webhooks = _receiving(user_id)
    types = {event.type for event in new_events}
    filtered = [
        webhook
        for webhook in webhooks
        if (webhook.tag_ids or webhook.folder_ids) and not types.isdisjoint(webhook.events)
    ]
    places = _places(filtered, {event.recording_id for event in new_events if event.recording_id})
    for event in new_events:
        for webhook in webhooks:
            if _wants(webhook, event) and places.has(event.recording_id, webhook):
                yield event, webhook


def _wants(webhook: Webhook, event: Event) -> bool:
    """Tell whether a webhook is for this type of event; an account webhook gets new recordings, whatever its row lists."""
    if webhook.preference is not None:
        return flat_payloads.is_new_recording(event)
    return event.type in webhook.events


def _receiving(user_id: int) -> Sequence[Webhook]:
    """Return the webhooks for which deliveries are written, including paused ones whose deliveries are held."""
    is_held = and_(Webhook.auto_paused, Webhook.when_paused == WhenPaused.HOLD)
    return db.session.scalars(
        select(Webhook)
        .join(User, User.id == Webhook.user_id)
        .where(Webhook.user_id == user_id, User.is_active, or_(Webhook.enabled, is_held))
        .order_by(Webhook.id)
        # `FOR KEY SHARE`: the webhook cannot be deleted before the deliveries that refer to it are committed. One that
        # is being deleted is left out.
        .with_for_update(read=True, key_share=True, of=Webhook)
    ).all()


def _places(filtered: Sequence[Webhook], recording_ids: Collection[int]) -> _Places:
    """Load the tags and folders of recordings that the webhooks' filters use."""
    places = _Places()
    asked_tags = {tag_id for webhook in filtered for tag_id in webhook.tag_ids or ()}
    asks_folders = any(webhook.folder_ids for webhook in filtered)
    ids = sorted(recording_ids)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        if asked_tags:
            tagged = select(RecordingTag.recording_id, RecordingTag.tag_id).where(
                RecordingTag.recording_id.in_(part), RecordingTag.tag_id.in_(asked_tags)
            )
            for row in db.session.execute(tagged):
                places.tags[row.recording_id].add(row.tag_id)
        if asks_folders:
            filed = select(Recording.id, Recording.folder_id).where(
                Recording.id.in_(part), Recording.folder_id.is_not(None)
            )
            places.folders |= {row.id: row.folder_id for row in db.session.execute(filed)}
    return places
