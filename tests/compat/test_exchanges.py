"""The recorded exchanges of each API family are what the server answers now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat import exchanges
from tests.matrix.families import module_of, package_of

pytestmark = pytest.mark.stack

FAMILIES = exchanges.families()


@pytest.mark.parametrize("path", FAMILIES, ids=package_of)
def test_each_family_has_recorded_exchanges(path: str) -> None:
    source = module_of(path, "exchanges")
    assert source is not None, "no module `exchanges` among the tests of the family"
    written = exchanges.recorded((exchanges.PAGES / f"{exchanges.page_name(path)}.md").read_text())
    assert len(written) == len(source.EXCHANGES) > 0


@pytest.mark.parametrize("path", FAMILIES, ids=package_of)
def test_the_server_answers_as_the_page_says(path: str, tmp_path: Path) -> None:
    """`python -m tests.compat.exchanges NAME` writes the page anew."""
    name, source = exchanges.page_name(path), module_of(path, "exchanges")
    with exchanges.running(source, tmp_path) as (server, known):
        now = exchanges.page(name, exchanges.play(server, source, known))
    written = (exchanges.PAGES / f"{name}.md").read_text()
    for before, after in zip(exchanges.recorded(written), exchanges.recorded(now), strict=True):
        assert after == before
