"""Prompts that extract insights from a transcript."""

from __future__ import annotations

from datetime import datetime

from speakr.connectors.language.prompts import Messages, fenced_messages

_ROLE = "You find in transcripts of recordings what people must not miss, and say exactly where it was said."

_TASK = """\
The material is a transcript, or one part of a longer one. Its first line explains the letters that stand for \
speakers; every other line begins with its number in square brackets. Answer with one JSON object and nothing else:
{"key_points": [{"text": "...", "lines": [12], "quote": "..."}],
 "action_items": [{"text": "...", "owner": "name or null", "due": "words or null", "lines": [12], "quote": "..."}],
 "chapters": [{"line": 12, "title": "..."}],
 "topics": [{"name": "...", "lines": [12, 40]}],
 "events": [{"title": "...", "when": "words", "start": "YYYY-MM-DDTHH:MM", "end": null, "location": null, \
"attendees": [], "lines": [12], "quote": "..."}]}
- quote: 3 to 20 words copied exactly from one of the lines, in the language that is spoken there, which show that \
the statement is true. lines: the numbers of the lines it rests on.
- key_points: at most 8, the most important statements and decisions.
- action_items: what somebody is to do; owner as named in the material, due in the words that were spoken.
- chapters: where the subject changes; line is the number of the first line about the new subject. If the first line \
goes on with a subject that began earlier, it begins no chapter. Titles of 2 to 8 words.
- topics: at most 6, each with up to 5 lines.
- events: appointments and deadlines that lie ahead; when in the words that were spoken, start and end worked out.
- Leave a list empty rather than guess. Keep numbers, names and days as they were spoken."""


def insight_messages(text: str, *, moment: datetime, language: str | None) -> Messages:
    """Return the messages that ask for what one part of a transcript holds."""
    when = f"The recording was made on {moment:%A}, {moment:%Y-%m-%d} at {moment:%H:%M}."
    rule = (
        f"Write texts, titles and names of topics in the language with the ISO 639-1 code «{language}»."
        if language
        else "Write texts, titles and names of topics in the language of the material."
    )
    return fenced_messages(_ROLE, [_TASK, when, rule], text)
