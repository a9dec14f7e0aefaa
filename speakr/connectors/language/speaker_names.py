"""Accept proposed names only if they are known or spoken in the recording."""

from __future__ import annotations

from speakr.connectors.language.base import IdentifyRequest
from speakr.connectors.language.lines import one_line
from speakr.connectors.language.sentences import find_words

MAX_NAME_LENGTH = 80
MAX_WORDS = 5

NOT_NAMES = frozenset(
    """a agent all and anonymous answer assistant attendee audience boss caller candidate chair chairman client
    colleague customer dad doctor everybody everyone female folks friend friends gentlemen god guest guys he
    her him host i interviewee interviewer it ladies lady male man me member moderator mom mr mrs ms mum my n
    na name narrator no nobody none null operator or participant patient person presenter professor question
    sales she sir somebody someone speaker student teacher team the them they unidentified unknown unnamed us
    voice we woman yes you your""".split()  # noqa: SIM905 - one can read and edit this; not a list of quoted strings
)
"""Words for roles and for unknown people; they are not names."""


class SpokenNames:
    """Judge proposed names against one recording."""

    def __init__(self, request: IdentifyRequest) -> None:
        self._known = {
            _key(name): one_line(name)
            for name in reversed(request.known_names)
            if not NOT_NAMES.issuperset(_key(name).split())
        }
        self._labels = {_key(label) for label in request.labels}
        # Between two lines stands a sign that no word holds, so that no name begins in one and ends in the next.
        self._spoken = f" {' | '.join(_key(line.text) for line in request.lines)} "

    def accept(self, proposal: str) -> str | None:
        """Return the name as it is written, or None if it is no name or comes out of nowhere."""
        name = one_line(proposal).strip(" .,:;!?\"'()[]<>*_`")
        key = _key(name)
        if not key or len(name) > MAX_NAME_LENGTH:
            return None
        if key in self._known:
            return self._known[key]
        words = key.split()
        if key in self._labels or len(words) > MAX_WORDS or NOT_NAMES.issuperset(words):
            return None
        if f" {key} " not in self._spoken:
            return None
        return self._full_name(words) or name

    def _full_name(self, words: list[str]) -> str | None:
        """Return the one person known of whose name this is a part."""
        fitting = {full for key, full in self._known.items() if set(words) <= set(key.split())}
        return fitting.pop() if len(fitting) == 1 else None


def _key(text: str) -> str:
    """Return the words to compare by: in lower case, without punctuation and a genitive's s."""
    return " ".join(word.removesuffix("'s") for word in find_words(text))
