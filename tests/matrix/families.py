"""Rows of the API families besides the native one. Each family's tests have them in a module `matrix` with `ROWS`.

A family without tests, or tests of a family that is not listed in `FAMILIES`, need no change here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from speakr.app import FAMILIES
from tests.matrix.policies import Case

FOLDERS = ("tests.compat", "tests.families")
"""Packages that may have the tests of a family, in a package with the name of the family's own."""


@dataclass(frozen=True, kw_only=True)
class FamilyRows:
    """What the matrix needs to know of a family."""

    prefix: str
    routes: Mapping[str, Sequence[Case]] = field(default_factory=dict)
    """`METHOD /rule` -> the ways it is called with an API token as `Authorization: Bearer`."""
    elsewhere: Collection[str] = ()
    """Routes that take no API token; the tests of the family check who may call them."""
    public: Collection[str] = ()
    """Routes without a credential; they show no user data."""
    status_without_credential: int = 401
    """What a request without a credential gets; another one where no credential is needed once an owner is set."""
    takes_token_in_address: bool = True
    """Whether an API token may be in the query string of a GET request."""
    wrong_shape: Callable[[Any], list[str]] = lambda _: []
    """Returns what is wrong with the shape of a failed request's answer."""


def package_of(path: str) -> str:
    """Return the name of a family's package from its line in `FAMILIES`."""
    return path.partition(":")[0].split(".")[-2]


def module_of(path: str, module: str) -> Any:
    """Return a module of a family's own tests; None if it has none."""
    for folder in FOLDERS:
        package = f"{folder}.{package_of(path)}"
        if find_spec(folder) and find_spec(package) and find_spec(f"{package}.{module}"):
            return import_module(f"{package}.{module}")
    return None


@functools.cache
def family_rows() -> list[FamilyRows]:
    """Return the rows of all families; a function, because their modules import this one."""
    return [found.ROWS for path in FAMILIES[1:] if (found := module_of(path, "matrix")) is not None]


def rows_of(rule: str) -> FamilyRows | None:
    """Return the rows of the family to which a rule belongs; None for the native API."""
    return next((rows for rows in family_rows() if rule.startswith(f"{rows.prefix}/")), None)
