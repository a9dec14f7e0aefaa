"""The settings that docker-compose.yml hands on to the services: all that it does not fix itself."""

from __future__ import annotations

from pathlib import Path

from speakr.operations.errors import OperatorError
from speakr.operations.settings_pages import variables

SET_BY_COMPOSE = frozenset(
    {
        "DATABASE_URL", "PROMETHEUS_MULTIPROC_DIR", "REDIS_URL", "SPEAKR_BIND", "SPEAKR_DATA", "SPEAKR_SCRATCH",
        "SPEAKR_LOG_FORMAT", "SPEAKR_SECRET_KEY", "SPEAKR_WEB_PROCESSES",
    }
)  # fmt: skip
"""Settings whose value follows from the services, or whose default differs there."""
ONLY_FOR_UP = frozenset({"SPEAKR_ADMIN_PASSWORD", "SPEAKR_BOOTSTRAP_TOKEN", "SPEAKR_WORKERS"})
"""Settings that only `speakr up` reads."""

_BEGIN = "    # Settings from .env; an unset one keeps its default. Made by: speakr settings --compose docker-compose.yml"
_END = "    # End of the settings"


def environment() -> list[str]:
    """Return the lines of the YAML mapping. Compose passes a name without a value on only if it is set."""
    return [f"    {name}:" for name in variables() if name not in SET_BY_COMPOSE | ONLY_FOR_UP]


def write_into(text: str) -> str:
    """Return a Compose file with the present settings between its two markers.

    Raises:
        OperatorError: a marker is missing.
    """
    head, begin, rest = text.partition(f"{_BEGIN}\n")
    _, end, tail = rest.partition(f"{_END}\n")
    if not begin or not end:
        raise OperatorError("The Compose file has no place for settings: its two marker lines are missing.")
    return head + begin + "\n".join(environment()) + "\n" + end + tail


def update(path: Path) -> None:
    """Write the present settings into a Compose file."""
    path.write_text(write_into(path.read_text()))
