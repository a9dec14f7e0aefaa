"""Templates are filled, never run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from speakr.exports import markdown, titles
from speakr.exports.placeholders import fill, names_in

VALUES = {
    "title": "Budget {{date}}",
    "speakers": "Ann, Bob",
    "date": datetime(2024, 1, 5, 9, 30, tzinfo=UTC),
    "time": datetime(2024, 1, 5, 9, 30, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{speakers}}", "Ann, Bob"),
        ("{{ speakers }} on {{\tdate\t}}", "Ann, Bob on 2024-01-05"),
        ("{{time}}", "09:30"),
        ("{{speakers|upper}} {{ speakers | lower }}", "ANN, BOB ann, bob"),
        ("{{date|%d.%m.%Y}}", "05.01.2024"),
        ("{{date| %A, %d %B }}", "Friday, 05 January"),
        ("{{time|%H h %M}}", "09 h 30"),
        ("{{date|100%%}}", "100%"),
        ("{{title}}", "Budget {{date}}"),  # what a value holds is not looked at again
    ],
)
def test_what_is_known_is_put_in(template: str, text: str) -> None:
    assert fill(template, VALUES) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{unknown}}",
        "{{speakers|reverse}}",
        "{{speakers|%Y}}",
        "{{date|upper}}",
        "{{date|%c}}",  # reads otherwise elsewhere
        "{{date|%10000000Y}}",
        "{{date|%-d}}",
        "{{date|%}}",
        "{{date|%Y\n}}",
        "{{date|" + "%Y" * 40 + "}}",
        "{{title.__class__}}",
        "{{title|attr('__class__')}}",
        "{{ 7*7 }}",
        "{title}",
        "{{title}",
        "%s %(title)s ${title} {0}",
        "{{}}",
        "{{title|}}",
    ],
)
def test_what_is_not_known_stays(template: str) -> None:
    assert fill(template, VALUES) == template


def test_names_are_found_in_order() -> None:
    assert names_in("{{b}} {{a|upper}} {{b}} {{c") == ["b", "a", "b"]


@pytest.mark.parametrize("junk", ["{{", "{{a|", "{{a| ", "{{ ", "{{a |%", "{{{"])
def test_broken_templates_are_read_in_one_go(junk: str) -> None:
    """One that backtracks would run into the time limit of tests."""
    for template in (junk * (20_000 // len(junk)), junk + " " * 20_000):
        assert fill(template, VALUES) == template


def test_a_title_is_one_short_line() -> None:
    assert titles.render(" {{speakers}}\r\n\t at {{time}}\u2028\x00 ", VALUES) == "Ann, Bob at 09:30"
    assert titles.render("{{title}}", {"title": "x" * 500}) == "x" * 200
    assert titles.render("{{title}} \n", {"title": " "}) == ""


def test_a_document_has_no_headings_over_nothing() -> None:
    values = {
        **VALUES,
        "participants": "",
        "tags": "Work",
        "summary": "Short.",
        "notes": "",
        "transcript": "",
    }
    assert markdown.render(values) == (
        "# Budget {{date}}\n\n2024-01-05 09:30\n\n**Tags:** Work\n\n## Summary\n\nShort.\n"
    )
