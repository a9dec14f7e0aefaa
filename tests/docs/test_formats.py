"""The pages, the API and the client name the formats that exist."""

from __future__ import annotations

from flask import Flask

from speakr.api.openapi import document
from speakr.client.commands.texts import transcript
from speakr.exports import EXPORTERS
from speakr.services import exports
from tests.docs.pages import in_backticks, read, tables


def test_the_table_of_formats_is_that_of_the_exporters() -> None:
    (found,) = (each for each in tables(read("api/texts.md")) if each.head[0] == "format")
    assert [tuple(row) for row in found.rows] == [
        (
            f"`{exporter.name}`",
            f"`{exporter.media_type}`",
            f"`.{exporter.extension}`",
            exporter.description,
            ", ".join(f"`{option}`" for option in exporter.options),
        )
        for exporter in EXPORTERS.values()
    ]


def test_the_route_of_transcripts_lists_the_formats(app: Flask) -> None:
    operation = document(app)["paths"]["/recordings/{recording_id}/transcript"]["get"]
    (format_,) = (each for each in operation["parameters"] if each.get("name") == "format")
    assert format_["schema"]["enum"] == exports.formats()
    rows = [
        row for found in tables(read("api/texts.md")) for row in found.rows if found.head[0] == "endpoint"
    ]
    (row,) = (row for row in rows if in_backticks(row[0])[0].endswith("/transcript") and "GET" in row[0])
    assert set(exports.formats()) <= set(in_backticks(row[3]))


def test_the_client_names_the_formats() -> None:
    (option,) = (each for each in transcript.params if each.name == "format_")
    help_text = getattr(option, "help", "")
    (row,) = (
        row
        for found in tables(read("client.md"))
        for row in found.rows
        if row[0].startswith("`transcript ID`")
    )
    for name in exports.formats():
        assert name in help_text
        assert name in in_backticks(row[2])
