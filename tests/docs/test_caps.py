"""docs/api/conventions.md lists the caps that the server has."""

from __future__ import annotations

from speakr.domain.caps import CAPS
from tests.docs.pages import read, table


def test_every_cap_is_documented_with_its_number() -> None:
    documented = {
        row[0]: int(row[1].split()[0].replace(",", "")) for row in table(read("api"), "things").rows
    }
    assert documented == {noun.value: most for noun, most in CAPS.items()}
