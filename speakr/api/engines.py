"""What the transcription engine supports."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response
from flask.views import MethodView
from marshmallow import fields, validate

from speakr.api.blueprint import noun
from speakr.api.schemas.fields import bounded
from speakr.domain.permissions import Scope
from speakr.services.speech import engines
from speakr.web.identity import needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass
from speakr.web.wire import Wire

MAX_LANGUAGES = 200

blp = noun("engines", "What the transcription engine supports")


class CapabilitiesOut(Wire):
    """Which optional fields of a request the engine supports; the others are ignored."""

    diarization = fields.Boolean(required=True)
    speaker_count_control = fields.Boolean(required=True)
    hotwords = fields.Boolean(required=True)
    initial_prompt = fields.Boolean(required=True)
    timestamps = fields.Boolean(required=True)
    language_detection = fields.Boolean(required=True)
    chunking = fields.Boolean(required=True)


class ModelOut(Wire):
    """A model that `transcription_model` may name."""

    value = fields.String(required=True)
    label = fields.String(required=True)
    size_bytes = fields.Integer(metadata={"description": "Of a model that is stored on this server."})
    is_downloaded = fields.Boolean(metadata={"description": "Whether this model is already downloaded."})


class InstalledModelOut(Wire):
    """A model behind the engine in use."""

    name = fields.String(required=True)
    full_name = fields.String(required=True)
    description = fields.String(required=True)
    languages = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        validate=validate.Length(max=MAX_LANGUAGES),
        metadata={"description": "ISO 639-1 codes; null: many languages."},
    )
    size_mb = fields.Float(
        required=True, allow_none=True, metadata={"description": "On disk, in MB of a million bytes."}
    )
    is_downloaded = fields.Boolean(
        required=True, allow_none=True, metadata={"description": "null: a provider has the model."}
    )
    is_default = fields.Boolean(required=True)


class EngineOut(Wire):
    """The engine in use."""

    connector = fields.String(required=True, allow_none=True)
    capabilities = fields.Nested(CapabilitiesOut, required=True)
    models = bounded(ModelOut, engines.MAX_MODELS)
    default_model = fields.String(required=True, allow_none=True)
    all_models = bounded(InstalledModelOut, engines.MAX_MODELS)
    limitation = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Why the engine makes more errors on this server than it should."},
    )


@blp.route("/transcription")
class Transcription(MethodView):
    """The transcription engine."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getTranscriptionEngine")
    @blp.response(200, EngineOut)
    def get(self) -> Response:
        """Return the engine, the options it supports, the models that a request may name, and all models behind it."""
        engine = engines.transcription()
        return json_response(
            {
                "connector": engine.name,
                "capabilities": {
                    name: value
                    for name, value in asdict(engine.capabilities).items()
                    if name in CapabilitiesOut().fields
                },
                "models": [
                    {name: value for name, value in asdict(model).items() if value is not None}
                    for model in engine.models
                ],
                "default_model": engine.default_model,
                "all_models": [_installed(model) for model in engine.all_models],
                "limitation": engines.limitation(),
            }
        )


def _installed(model: engines.ModelRow) -> dict[str, object]:
    size = None if model.size_bytes is None else round(model.size_bytes / 1_000_000, 1)
    return {
        **{name: value for name, value in asdict(model).items() if name != "size_bytes"},
        "size_mb": size,
    }
