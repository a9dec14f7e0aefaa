"""Find the model that a request names, under the names that clients of other systems use."""

from __future__ import annotations

from collections.abc import Collection

from speakr.domain.errors import Invalid
from speakr.services.speech import engines

_PREFIXES = ("openai/", "systran/", "faster-", "whisper-")
_MAX_SHOWN = 80


def choose(name: str | None, stand_ins: Collection[str] = ()) -> str | None:
    """Return the model that a request names; None is the engine's default.

    stand_ins: names that mean the default unless the engine has such a model: clients send them without choosing.

    Raises:
        Invalid: there is no such model, or requests may not choose it (code `unknown_model`); the message lists those
            that they may.

    """
    if name is None:
        return None
    engine = engines.transcription()
    offered = {short(model.value): model.value for model in engine.models}
    defaults = {short(row.name) for row in engine.all_models if row.is_default}
    wanted = short(name)
    if wanted in offered:
        return offered[wanted]
    if wanted in defaults or wanted in stand_ins:
        return None
    known = ", ".join(sorted({*offered, *defaults, *stand_ins}))
    raise Invalid(f"Unknown model '{name[:_MAX_SHOWN]}'. Available: {known}", code="unknown_model")


def short(name: str) -> str:
    """Return a name without what publishers put before it: `openai/whisper-tiny.en` is `tiny.en`."""
    found = name.strip().lower()
    for prefix in _PREFIXES:
        found = found.removeprefix(prefix)
    return found
