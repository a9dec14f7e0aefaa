"""A recording as one Markdown document, for users without a template of their own."""

from __future__ import annotations

from collections.abc import Mapping

from speakr.exports.placeholders import Value, fill

MEDIA_TYPE = "text/markdown"

_HEAD = (("participants", "Participants"), ("tags", "Tags"))
_SECTIONS = (("summary", "Summary"), ("notes", "Notes"), ("transcript", "Transcript"))


def render(values: Mapping[str, Value]) -> str:
    """Write the document, without headings of empty sections."""
    parts = ["# {{title}}", "{{date}} {{time}}"]
    parts += [f"**{heading}:** {{{{{name}}}}}" for name, heading in _HEAD if values[name]]
    parts += [f"## {heading}\n\n{{{{{name}}}}}" for name, heading in _SECTIONS if values[name]]
    return fill("\n\n".join(parts) + "\n", values)
