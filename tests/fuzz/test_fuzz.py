"""The short form of `make fuzz`: an example of every operation, the same one each time."""

from __future__ import annotations

import pytest

from tests.fuzz.run import fuzz

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("database", "methods"),
    [("sqlite", "--include-method"), ("postgresql", "--exclude-method")],
    ids=["reading-on-sqlite", "writing-on-postgresql"],
)
def test_an_example_of_every_operation(
    database: str, methods: str, capfd: pytest.CaptureFixture[str]
) -> None:
    outcome = fuzz(database, 1, "--phases", "fuzzing", "--generation-deterministic", methods, "GET")
    captured = capfd.readouterr()
    assert outcome.exit_code == 0, captured.out + captured.err
