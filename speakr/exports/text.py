"""Plain text from a template that users may write themselves.

A template describes one segment and is repeated for each, joined by a newline. It may contain `{{index}}` (from 1),
`{{speaker}}`, `{{text}}`, `{{start_time}}` and `{{end_time}}` (`HH:MM:SS`), each with `|upper`, the times also with
`|srt` (`HH:MM:SS,mmm`). Anything else in braces stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from speakr.domain.transcript import Segment
from speakr.exports.base import Exporter, Option, Source, clock, milliseconds
from speakr.exports.paragraphs import to_paragraphs

DEFAULT_TEMPLATE = "[{{speaker}}]: {{text}}"

PLACEHOLDER = re.compile(r"\{\{[ \t]*(\w+)[ \t]*(?:\|[ \t]*(\w+)[ \t]*)?\}\}", re.ASCII)

Field = Callable[[int, Segment], str]
"""Returns the text of one placeholder for the segment with this index."""


class LineTemplate:
    """A parsed template; rendering is then string formatting only."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._fields: list[Field] = []
        self._format = "".join(self._compile(source))

    def render(self, segments: Sequence[Segment], separator: str = "\n") -> str:
        """Apply the template to each segment and join the results."""
        return separator.join(self.lines(segments))

    def lines(self, segments: Sequence[Segment]) -> Iterator[str]:
        """Apply the template to each segment."""
        layout, fields = self._format, self._fields
        for index, segment in enumerate(segments, start=1):
            yield layout % tuple([field(index, segment) for field in fields])

    def _compile(self, source: str) -> list[str]:
        """Return the pieces of a `%` format, and collect the field behind each `%s`."""
        pieces: list[str] = []
        position = 0
        for match in PLACEHOLDER.finditer(source):
            field = FIELDS.get((match[1], match[2]))
            if field is None:
                continue
            pieces += [source[position : match.start()].replace("%", "%%"), "%s"]
            self._fields.append(field)
            position = match.end()
        pieces.append(source[position:].replace("%", "%%"))
        return pieces


def _index(index: int, _segment: Segment) -> str:
    return str(index)


def _speaker(_index: int, segment: Segment) -> str:
    return segment.speaker


def _text(_index: int, segment: Segment) -> str:
    return segment.text


def _start_time(_index: int, segment: Segment) -> str:
    return _subtitle_clock(segment.start)[:-4]


def _end_time(_index: int, segment: Segment) -> str:
    return _subtitle_clock(segment.end)[:-4]


def _start_time_srt(_index: int, segment: Segment) -> str:
    return _subtitle_clock(segment.start)


def _end_time_srt(_index: int, segment: Segment) -> str:
    return _subtitle_clock(segment.end)


def _subtitle_clock(seconds: float | None) -> str:
    """Format a time with milliseconds; an unknown one as zero."""
    return clock(milliseconds(seconds) or 0, ",")


def _upper(field: Field) -> Field:
    return lambda index, segment: field(index, segment).upper()


_PLAIN: Mapping[str, Field] = {
    "index": _index,
    "speaker": _speaker,
    "text": _text,
    "start_time": _start_time,
    "end_time": _end_time,
}
FIELDS: Mapping[tuple[str, str | None], Field] = {
    **{(name, None): field for name, field in _PLAIN.items()},
    **{(name, "upper"): _upper(field) for name, field in _PLAIN.items()},
    ("start_time", "srt"): _start_time_srt,
    ("end_time", "srt"): _end_time_srt,
}
"""(Name, filter) -> placeholder."""

DEFAULT = LineTemplate(DEFAULT_TEMPLATE)


@lru_cache(maxsize=64)
def compiled(body: str) -> LineTemplate:
    """Return a parsed template; repeated ones come from a cache."""
    return LineTemplate(body)


def write(source: Source) -> Iterator[str]:
    """Write one line per segment, or paragraphs with a blank line between."""
    template = DEFAULT if source.template is None else compiled(source.template)
    segments, separator = (
        (to_paragraphs(source.segments), "\n\n") if source.paragraphs else (source.segments, "\n")
    )
    for number, line in enumerate(template.lines(segments)):
        yield separator + line if number else line


TEXT = Exporter(
    name="text",
    media_type="text/plain",
    extension="txt",
    description="Plain text, a line per segment",
    write=write,
    options=(Option.PARAGRAPHS, Option.TEMPLATE),
)
