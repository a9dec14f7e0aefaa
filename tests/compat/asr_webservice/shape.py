"""The shape of failures, which is FastAPI's."""

from __future__ import annotations

from typing import Any


def wrong_shape(answer: Any) -> list[str]:
    """Return what is wrong with the shape of a failure."""
    body = answer.get_json(silent=True)
    if not isinstance(body, dict) or set(body) != {"detail"} or not body["detail"]:
        return [f"no detail: {answer.data[:200]!r}"]
    is_list = isinstance(body["detail"], list)
    return [] if is_list == (answer.status_code == 422) else ["a list of fields needs 422"]
