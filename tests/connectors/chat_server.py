"""Responses of a chat model, and how to read its requests."""

from __future__ import annotations

import re
from collections.abc import Callable

from speakr.connectors.language import make_language_connector
from speakr.connectors.language.base import LanguageConnector
from speakr.settings import Settings
from tests.connectors.fake_provider import FakeProvider, Reply, Request, json_reply

MakeSettings = Callable[..., Settings]
FENCED = re.compile(r"^<(material-[0-9a-f]{12})>\n(.*)\n</\1>$", re.DOTALL)


def connector_for(provider: FakeProvider, settings_with: MakeSettings, **fields: object) -> LanguageConnector:
    return make_language_connector(
        settings_with(llm_base_url=provider.url, llm_api_key="sk-secret", llm_model="m-1", **fields)
    )


def chat_reply(content: object, finish_reason: str = "stop", **message: object) -> Reply:
    return json_reply(
        {
            "choices": [
                {
                    "index": 0,
                    "finish_reason": finish_reason,
                    "message": {"role": "assistant", "content": content, **message},
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 7},
        }
    )


def system_of(request: Request) -> str:
    (system,) = [message["content"] for message in request.json["messages"] if message["role"] == "system"]
    return system


def material_of(request: Request) -> str:
    """Return what stands between the fences in the first message of the user."""
    first = next(message["content"] for message in request.json["messages"] if message["role"] == "user")
    match = FENCED.match(first)
    assert match
    return match[2]
