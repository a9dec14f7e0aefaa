"""The environment of the child processes of an embedded server."""

from __future__ import annotations

import os
from collections.abc import Mapping

from speakr import installation

ROOT = installation.PACKAGE.parent
"""The folder that holds the package."""

_FRUGAL = {
    # Two malloc arenas instead of eight a core, no threads inside numpy: memory and cores are shared by all.
    "MALLOC_ARENA_MAX": "2",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_FIRST_START_ONLY = ("SPEAKR_ADMIN_PASSWORD", "SPEAKR_BOOTSTRAP_TOKEN")
_ALLOW_LIST = "WEBHOOK_INTRANET_HOST_ALLOWLIST"
_REGISTRATION = "SPEAKR_REGISTRATION"


def inherited() -> dict[str, str]:
    """Return a copy of this process's environment, to be handed on."""
    return dict(os.environ)  # noqa: TID251 - not read here: Settings reads what it is given


def with_import_path(environment: Mapping[str, str]) -> dict[str, str]:
    """Let Python find the package of a checkout, from whatever folder the command was given.

    An installed package is found anyway, and its folder is not put in front of the standard library.
    """
    if installation.is_from_wheel():
        return {**_FRUGAL, **environment}
    path = environment.get("PYTHONPATH", "")
    return {**_FRUGAL, **environment, "PYTHONPATH": f"{ROOT}{os.pathsep}{path}" if path else str(ROOT)}


def for_web(environment: Mapping[str, str]) -> dict[str, str]:
    """Let the web process use the allocator of the C library.

    Python's own keeps a mebibyte for as long as one object is in it. After work on long transcripts that was a hundred
    megabytes; malloc_trim(3) returns most of it (`speakr.offload`).
    """
    return {"PYTHONMALLOC": "malloc", **environment}


def opened_to_loopback(environment: Mapping[str, str], *, is_loopback: bool) -> dict[str, str]:
    """Let webhooks reach 127.0.0.1, and users register, when only 127.0.0.1 can reach the server.

    Every client of such a server is on this machine and could call 127.0.0.1 itself. This does not
    hold behind a proxy. What the operator has set is never changed.
    """
    is_proxied = environment.get("SPEAKR_TRUSTED_PROXIES", "").strip() not in {"", "0"}
    if not is_loopback or is_proxied:
        return dict(environment)
    opened = {_ALLOW_LIST: "127.0.0.1/32"}
    if not environment.get("SPEAKR_PUBLIC_URL", "").strip():  # it has one behind a proxy or a tunnel
        opened[_REGISTRATION] = "true"
    return {**opened, **environment}


def without_first_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables of the first start."""
    return {name: value for name, value in environment.items() if name not in _FIRST_START_ONLY}
