"""One open door for all tests of a pytest process; each test leaves it well and with a clean log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.intake.door import Door


@pytest.fixture(scope="session")
def open_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with Door(tmp_path_factory.mktemp("door")) as made:
        yield made


@pytest.fixture
def door(open_door: Door) -> Iterator[Door]:
    log_before = len(open_door.log)
    yield open_door
    assert open_door.is_well()
    assert "Traceback" not in open_door.log[log_before:]
