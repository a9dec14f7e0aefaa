"""Load the `openai` package and open a client without stopping the event loop of a web process.

Importing the package takes a second of CPU, the certificates of a client a tenth of one, the classes of an API
another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakr.connectors.openai_access import OpenAIAccess
from speakr.offload import run_cpu

if TYPE_CHECKING:
    import openai


def load_client(access: OpenAIAccess) -> openai.OpenAI:
    """Return a new client, ready for its first request.

    Raises:
        ConnectorRejected: the address or the key cannot be sent.

    """
    return run_cpu(lambda: _load(access))


def _load(access: OpenAIAccess) -> openai.OpenAI:
    from speakr.connectors.openai_client import open_client  # noqa: PLC0415 - costs 60 MB

    client = open_client(access)
    _ = (client.chat.completions, client.embeddings)  # imports their classes
    return client
