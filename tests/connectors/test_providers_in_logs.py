"""The address and the key of a provider do not get into the log; it has a message of Speakr's own."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from speakr.connectors import refusals
from speakr.connectors.language.base import SummaryRequest
from speakr.domain.errors import ConnectorUnavailable
from speakr.domain.statements import NumberedLine
from speakr.telemetry import logging as telemetry
from tests.connectors.chat_server import MakeSettings, chat_reply, connector_for
from tests.connectors.fake_provider import FakeProvider, error_reply


@pytest.fixture
def log_at_info(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # A logger keeps the level of its first use, which may have been in a test that logs errors only.
    monkeypatch.setattr(refusals, "logger", structlog.get_logger())
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    telemetry.configure("INFO", "text")
    yield
    root.handlers = handlers
    root.setLevel(level)


def test_the_address_and_the_key_are_not_logged(
    log_at_info: None, provider: FakeProvider, settings_with: MakeSettings, caplog, capfd
):
    connector = connector_for(provider, settings_with)
    logging.getLogger().addHandler(caplog.handler)
    request = SummaryRequest(lines=[NumberedLine("SPEAKER_00", "Hello.", 0.0)])
    provider.answers(chat_reply("Fine."))
    assert connector.summarize(request).markdown == "Fine."
    provider.answers(error_reply(500))
    with pytest.raises(ConnectorUnavailable, match="HTTP 500"):
        connector.summarize(request)
    logging.getLogger("of.this.test").info("to be sure that lines arrive here")
    logged = caplog.text + "".join(capfd.readouterr())
    assert "lines arrive" in logged
    assert "provider_refused" in logged
    for secret in (provider.url, provider.url.rpartition(":")[2], "sk-secret", "HTTP Request"):
        assert secret not in logged
