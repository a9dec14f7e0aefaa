"""Languages by any of their names."""

from __future__ import annotations

import re

import pytest

from speakr.domain import languages


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en-US", "en"),
        ("de_DE", "de"),
        ("English", "en"),
        (" german ", "de"),
        ("eng", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("Deutsch", "de"),
        ("FRANÇAIS", "fr"),
        ("Русский", "ru"),
        ("日本語", "ja"),
        ("العربية", "ar"),
        ("Haitian Creole", "ht"),
        ("English (US)", "en"),
        ("zh-Hans", "zh"),
        ("sr-Latn-RS", "sr"),
        ("nb-NO", "no"),
        ("iw", "he"),
        ("yue", "yue"),
    ],
)
def test_a_language_by_any_name_is_its_code(text: str, code: str) -> None:
    assert languages.read(text) == languages.code_of(text) == code


@pytest.mark.parametrize("text", ["", "auto", "Auto", " AUTO ", "detect", "und", "auto-detect"])
def test_words_for_detection_are_no_language(text: str) -> None:
    assert languages.read(text) is None


@pytest.mark.parametrize("text", ["klingon", "English please", "e", "xx", "xx-YY", "en-", "12", "日"])
def test_what_is_no_language_is_refused(text: str) -> None:
    with pytest.raises(languages.NoLanguage):
        languages.read(text)
    assert languages.code_of(text) is None


@pytest.mark.parametrize("value", [None, 5, ["en"]])
def test_engines_may_answer_anything(value: object) -> None:
    assert languages.code_of(value) is None


def test_a_tag_keeps_its_region_where_that_is_asked_for() -> None:
    assert [languages.read_tag(text) for text in ("pt-BR", "German", "de_DE", "auto")] == [
        "pt-BR",
        "de",
        "de",
        None,
    ]


def test_all_that_the_document_allows_is_accepted() -> None:
    for code in languages.CODES:
        for text in (code, f"{code}-US", f"{code}_latn"):
            assert re.match(languages.PATTERN, text)
            languages.read(text)


def test_whisper_models_are_asked_for_languages_that_they_know_only() -> None:
    named = ("Javanese", "de-AT", "eo", None, "auto")
    assert [languages.whisper_code(text) for text in named] == ["jw", "de", None, None, None]
