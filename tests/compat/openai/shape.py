"""The shape of failures in OpenAI's API."""

from __future__ import annotations

from typing import Any


def wrong_shape(answer: Any) -> list[str]:
    """Return what is wrong with the shape of a failure."""
    body = answer.get_json(silent=True)
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or set(error) != {"message", "type", "param", "code"}:
        return [f"no OpenAI error: {answer.data[:200]!r}"]
    return [] if error["message"] and error["type"] and error["code"] else ["an empty field"]
