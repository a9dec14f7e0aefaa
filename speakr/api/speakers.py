"""Speakers, and the speakers of a recording."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.common import SuccessOut
from speakr.api.schemas.pages import PageQuery
from speakr.api.schemas.speakers import (
    AssignedOut,
    AssignIn,
    MergeIn,
    RecordingSpeakersOut,
    SpeakerChangedOut,
    SpeakerCreatedOut,
    SpeakerIn,
    SpeakerListOut,
    SplitIn,
)
from speakr.db import unit_of_work
from speakr.domain.permissions import Scope
from speakr.services.speech import recording_speakers, speakers
from speakr.web.identity import actor, needs
from speakr.web.pages import paged, window_of
from speakr.web.rate_limits import RateClass

blp = noun("speakers", "Speakers, and their names in recordings")


def _changed(speaker: Any) -> dict[str, Any]:
    shown = {"id": speaker.id, "name": speaker.name, "use_count": speakers.use_count(speaker)}
    return {"success": True, "speaker": shown}


@blp.route("/speakers")
class Speakers(MethodView):
    """All of a user's speakers."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listSpeakers")
    @blp.arguments(PageQuery, location="query")
    @blp.response(200, SpeakerListOut)
    def get(self, query: dict[str, Any]) -> Any:
        """List your speakers, those in most recordings first."""
        return paged("speakers", speakers.list_page(actor(), window_of(query)), query)

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="createSpeaker")
    @blp.arguments(SpeakerIn)
    @blp.response(201, SpeakerCreatedOut)
    def post(self, form: dict[str, Any]) -> Any:
        """Create a speaker. Assigning a new name in a recording does so too."""
        with unit_of_work():
            made = speakers.create(actor(), form["name"] or "")
            return {"id": made.id, "name": made.name, "use_count": 0, "created_at": made.created_at}


@blp.route("/speakers/<id:speaker_id>")
class Speaker(MethodView):
    """One speaker."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="renameSpeaker")
    @blp.arguments(SpeakerIn)
    @blp.response(200, SpeakerChangedOut)
    def put(self, form: dict[str, Any], speaker_id: int) -> Any:
        """Rename a speaker, in all transcripts and lists of participants."""
        with unit_of_work():
            return _changed(speakers.rename(actor(), speaker_id, form["name"] or ""))

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="deleteSpeaker")
    @blp.response(200, SuccessOut)
    def delete(self, speaker_id: int) -> Any:
        """Delete a speaker; transcripts keep the name."""
        with unit_of_work():
            speakers.delete(actor(), speaker_id)
        return {"success": True, "message": "Speaker deleted"}


@blp.route("/speakers/<id:speaker_id>/merge")
class MergeSpeaker(MethodView):
    """Two speakers who are the same person."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="mergeSpeaker")
    @blp.arguments(MergeIn)
    @blp.response(200, SpeakerChangedOut)
    def post(self, form: dict[str, Any], speaker_id: int) -> Any:
        """Merge a speaker into another one, whose name stays."""
        with unit_of_work():
            return _changed(speakers.merge(actor(), speaker_id, form["into_id"]))


@blp.route("/speakers/<id:speaker_id>/split")
class SplitSpeaker(MethodView):
    """One speaker who is two persons."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @blp.doc(operationId="splitSpeaker")
    @blp.arguments(SplitIn)
    @blp.response(201, SpeakerChangedOut)
    def post(self, form: dict[str, Any], speaker_id: int) -> Any:
        """Move some recordings of a speaker to a new speaker, who is a different person."""
        with unit_of_work():
            return _changed(speakers.split(actor(), speaker_id, form["name"], set(form["recording_ids"])))


@blp.route("/recordings/<id:recording_id>/speakers")
class RecordingSpeakers(MethodView):
    """The speakers of a recording."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listRecordingSpeakers")
    @blp.response(200, RecordingSpeakersOut)
    def get(self, recording_id: int) -> Any:
        """List the speakers in the order of first appearance, with suggestions for those without a name."""
        found, suggestions = recording_speakers.look_at(actor(), recording_id)
        return {"speakers": found, "suggestions": suggestions}


@blp.route("/recordings/<id:recording_id>/speakers/assign")
class AssignSpeakers(MethodView):
    """Names for the speakers of a recording."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="assignSpeakers")
    @blp.arguments(AssignIn)
    @blp.response(200, AssignedOut)
    def put(self, form: dict[str, Any], recording_id: int) -> Any:
        """Name the speakers of a recording; they become its participants."""
        with unit_of_work():
            done = recording_speakers.assign(
                actor(), recording_id, form["speaker_map"], with_summary=form["regenerate_summary"]
            )
        return {
            "success": True,
            "message": done.message,
            "recording": done.recording,
            "summary_queued": done.is_summary_queued,
            "embeddings_updated": done.profiles_learned,
            "snippets_created": 0,
        }
