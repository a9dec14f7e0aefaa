"""Requests that wait for a language model: answer questions, write a title, identify speakers."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent_and_slow
from speakr.api.recordings import filters_of
from speakr.api.schemas.chat import (
    ChatIn,
    ChatOut,
    LibraryChatIn,
    LibraryChatOut,
    SuggestedNamesOut,
    TitleOut,
)
from speakr.domain.conversation import ChatMessage, Role
from speakr.domain.permissions import Scope
from speakr.services.language import chat, identification, library_chat, titles
from speakr.web.identity import actor, needs
from speakr.web.rate_limits import RateClass

blp = noun("chat", "Questions about recordings, their titles, and names of their speakers")


@blp.route("/recordings/<id:recording_id>/chat")
class Chat(MethodView):
    """A conversation about a recording."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @idempotent_and_slow
    @blp.doc(operationId="chatWithRecording")
    @blp.arguments(ChatIn)
    @blp.response(200, ChatOut)
    def post(self, asked: dict[str, Any], recording_id: int) -> Any:
        """Ask a question about a recording; the answer cites segments as its sources."""
        history = [
            ChatMessage(Role(turn["role"]), turn["content"]) for turn in asked["conversation_history"] or ()
        ]
        return chat.ask(actor(), recording_id, asked["message"], history)


@blp.route("/chat")
class LibraryChat(MethodView):
    """A conversation about all recordings."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @idempotent_and_slow
    @blp.doc(operationId="chatWithLibrary")
    @blp.arguments(LibraryChatIn)
    @blp.response(200, LibraryChatOut)
    def post(self, asked: dict[str, Any]) -> Any:
        """Ask a question about all recordings you may see; the answer cites segments as its sources."""
        history = [
            ChatMessage(Role(turn["role"]), turn["content"]) for turn in asked["conversation_history"] or ()
        ]
        return library_chat.ask(actor(), asked["message"], history, filters_of(asked))


@blp.route("/recordings/<id:recording_id>/regenerate_title")
class RegenerateTitle(MethodView):
    """A recording's title."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @idempotent_and_slow
    @blp.doc(operationId="regenerateRecordingTitle")
    @blp.response(200, TitleOut)
    def post(self, recording_id: int) -> Any:
        """Write a new title from the transcript; the old one stays if the transcript gives none."""
        recording = titles.regenerate_title(actor(), recording_id)
        return {"success": True, "title": recording.title, "recording": recording}


@blp.route("/recordings/<id:recording_id>/speakers/identify")
class IdentifySpeakers(MethodView):
    """The names of a recording's speakers."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @idempotent_and_slow
    @blp.doc(operationId="identifySpeakers")
    @blp.response(200, SuggestedNamesOut)
    def post(self, recording_id: int) -> Any:
        """Suggest a name for each speaker label from the transcript; changes nothing."""
        return {"success": True, "speaker_map": identification.suggest_names(actor(), recording_id)}
