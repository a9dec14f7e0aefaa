"""The page of speech engines agrees with the `about` of each class."""

from __future__ import annotations

from speakr.connectors.transcription import class_of
from speakr.speech_settings import CONNECTORS
from tests.docs.pages import read, table


def test_the_table_of_engines_is_that_of_the_connectors() -> None:
    rows = [tuple(row) for row in table(read("speech-engines.md"), "engine").rows]
    said = {name: class_of(name).about for name in CONNECTORS}
    assert rows == [
        (f"`{name}`", about.description, about.needs, about.supports) for name, about in said.items()
    ]
