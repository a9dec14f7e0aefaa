"""What was said in the world of the matrix, ready to be found by meaning."""

from __future__ import annotations

from speakr.backends import get_backends
from speakr.db import db, unit_of_work
from speakr.models import RecordingPassage, Segment
from tests.fakes import FakeEmbedder
from tests.matrix.world import World, build


def build_with_meanings() -> World:
    """Fill an empty database, each recording with one passage."""
    world = build()
    with unit_of_work():
        for number in (
            world.ids["recording_id"],
            world.ids["other_recording_id"],
            world.own["recording_id"],
        ):
            _embed(number)
    return world


def _embed(recording_id: int) -> None:
    said = db.session.query(Segment).filter_by(recording_id=recording_id).order_by(Segment.id).all()
    (vector,) = FakeEmbedder().embed([" ".join(segment.text for segment in said)])
    db.session.add(
        RecordingPassage(
            recording_id=recording_id,
            position=0,
            first_segment_id=said[0].id,
            last_segment_id=said[-1].id,
            start=said[0].start,
            end=said[-1].end,
            sha256="0" * 64,
            model=get_backends().embedding_model,
            vector=vector,
            is_current=True,
        )
    )
