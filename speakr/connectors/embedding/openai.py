"""Vectors by any server that speaks OpenAI's `POST /embeddings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from speakr.connectors.embedding.base import pack
from speakr.connectors.openai_access import OpenAIAccess
from speakr.connectors.openai_loading import load_client
from speakr.connectors.transcription.waiting import Received, read_bounded, wait_interruptibly
from speakr.settings import Settings

if TYPE_CHECKING:
    import openai

SERVICE = "The embedding model provider"
TEXTS_PER_REQUEST = 32


class OpenAIEmbeddingConnector:
    """Ask for vectors, some texts at a time; the client is opened with the first of them."""

    name = "openai"

    def __init__(self, access: OpenAIAccess, model: str) -> None:
        self._access = access
        self.model = model
        self._client: openai.OpenAI | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Make the connector the operator configured; nothing is contacted."""
        is_elsewhere = settings.embedding_base_url not in {"", settings.llm_base_url}
        # The text model's key must not go to another server.
        key = settings.embedding_api_key or ("" if is_elsewhere else settings.llm_api_key)
        access = OpenAIAccess(
            base_url=settings.embedding_base_url or settings.llm_base_url,
            api_key=key,
            timeout_seconds=settings.embedding_timeout_seconds,
        )
        return cls(access, settings.embedding_model)

    def embed(self, texts: Sequence[str], *, most_seconds: float | None = None) -> list[bytes]:
        """Return the vector of each text; all of them are of one length."""
        if self._client is None:
            self._client = load_client(self._access)
        from speakr.connectors.openai_client import malformed  # noqa: PLC0415 - costs 60 MB

        seconds = min(most_seconds or self._access.timeout_seconds, self._access.timeout_seconds)
        found: list[bytes] = []
        for first in range(0, len(texts), TEXTS_PER_REQUEST):
            asked = list(texts[first : first + TEXTS_PER_REQUEST])
            try:
                found += _read(self._ask(self._client, asked, seconds), len(asked))
            except ValueError as error:
                raise malformed(SERVICE) from error
        if len(set(map(len, found))) > 1:
            raise malformed(SERVICE)
        return found

    def _ask(self, client: openai.OpenAI, texts: list[str], seconds: float) -> Mapping[str, Any]:
        from speakr.connectors.openai_client import ask_for_json, timeout  # noqa: PLC0415 - costs 60 MB

        create = client.embeddings.with_streaming_response.create

        def send() -> Received:
            # As numbers: not every server knows another form, and the client would load numpy to read it.
            with create(
                model=self.model, input=texts, encoding_format="float", timeout=timeout(seconds)
            ) as answer:
                return Received(read_bounded(SERVICE, answer.iter_bytes()))

        return wait_interruptibly(SERVICE, lambda: ask_for_json(SERVICE, send), seconds, lambda: None)


def _read(answer: Mapping[str, Any], count: int) -> list[bytes]:
    """Return the vectors of an answer in the order of the texts.

    Raises:
        ValueError: it is of another shape, or has not one vector for each text.

    """
    data = answer.get("data")
    if not isinstance(data, list) or len(data) != count or not all(isinstance(each, dict) for each in data):
        raise ValueError("not one vector for each text")
    places = [each.get("index", at) for at, each in enumerate(data)]
    if any(type(place) is not int for place in places) or sorted(places) != list(range(count)):
        raise ValueError("not one vector for each text")
    vectors = {place: pack(each.get("embedding")) for place, each in zip(places, data, strict=True)}
    return [vectors[place] for place in range(count)]
