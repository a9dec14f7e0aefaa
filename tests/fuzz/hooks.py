"""What schemathesis is told about this server: which ids there are, and which token must live.

Loaded by its command line; the ids come in `SPEAKR_FUZZ_HOUSE`.
"""

from __future__ import annotations

import json
import os
from typing import Any

import schemathesis

HOUSE: dict[str, Any] = json.loads(os.environ["SPEAKR_FUZZ_HOUSE"])
IDS: dict[str, list[int]] = HOUSE["ids"]
OWN = {"user_id": HOUSE["own_user_id"], "token_id": HOUSE["own_token_id"]}
"""Whoever asks: without them everything after would be a 401 and test nothing."""


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Lead most ids to things that are there; every fourth stays what it is, for 404 is an answer too."""
    return path_parameters and {
        name: IDS[name][value % len(IDS[name])] if _is_an_id(value) and name in IDS and value % 4 else value
        for name, value in path_parameters.items()
    }


@schemathesis.hook
def filter_case(_context: Any, case: schemathesis.Case) -> bool:
    """Leave the asking account and its token alone."""
    given = case.path_parameters or {}
    return case.method == "GET" or all(str(given.get(name)) != str(own) for name, own in OWN.items())


def _is_an_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
