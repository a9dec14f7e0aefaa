"""One server for all tests of a pytest process; each test leaves it running and with a clean log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.intake.server import IntakeServer


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    with IntakeServer(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture
def server(start_server: IntakeServer) -> Iterator[IntakeServer]:
    log_before = len(start_server.log)
    yield start_server
    assert start_server.is_well()
    assert "Traceback" not in start_server.log[log_before:]
