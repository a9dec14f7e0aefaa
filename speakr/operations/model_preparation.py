"""Prepare the models of the embedded engine on an operator's command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from speakr.model_files import preparation, store
from speakr.model_files.catalogue import MODELS
from speakr.operations.errors import OperatorError

_MEGABYTE = 1_000_000


def listed(root: Path) -> Iterator[str]:
    """Return one line per model: its name, size, state, purpose and licence."""
    yield f"Models in {root}:"
    for model in MODELS.values():
        size = store.size_bytes(root, model)
        state = f"{round(size / _MEGABYTE)} MB" if store.is_prepared(root, model) else "not prepared"
        yield f"{model.name:24} {state:14} {model.title} ({model.licence})"


def needed(languages: str) -> list[str]:
    """Return the names of the models that these languages need: `all`, or `en`."""
    return [model.name for model in MODELS.values() if languages == "all" or not model.is_for_other_languages]


def prepare(names: Sequence[str], root: Path, tell: Callable[[str], None]) -> None:
    """Prepare the named models.

    Raises:
        OperatorError: there is no such model, or one cannot be prepared.
    """
    if unknown := sorted(set(names) - set(MODELS)):
        raise OperatorError(f"There is no model {', '.join(unknown)}; there are {', '.join(MODELS)}.")
    try:
        made = preparation.prepare([MODELS[name] for name in names], root, tell)
    except preparation.PreparationFailed as error:
        raise OperatorError(str(error)) from error
    tell(f"Prepared {', '.join(model.name for model in made)}" if made else "All models are prepared")
