"""Texts that engines write over what is no speech."""

from __future__ import annotations

import pytest

from speakr.domain.non_speech import is_no_speech, is_spoken
from speakr.domain.transcript import Segment, Span


@pytest.mark.parametrize(
    "text",
    [
        "", "!!!!", "...", "…", "♪♪", "? ? ?", "。。。", "、", "-", "🎵", "[BLANK_AUDIO]", "[ Silence ]", "(music)",
        "(Music.)", "*music*", "♪ music ♪", "[Music] [Applause]", "[Musik]", "(música)", "[музыка]", "（音楽）", "【拍手】",  # noqa: RUF001
        "[음악]", "(موسيقى)", "[संगीत]", "[ ♪♪ ]", "[...]",
    ],
)  # fmt: skip
def test_sounds_and_signs_are_no_speech(text: str) -> None:
    assert is_no_speech(text)


@pytest.mark.parametrize(
    "text",
    [
        "Hi", "42", "Music", "music", "Applause!", "是", "あ", "네", "да", "لا", "हाँ", "ไม่", "ค", "٤٢", "ΝΑΙ", "שלום",  # noqa: RUF001
        "(he whispers) come here", "[Music] Hello", "[inaudible]", "(I mean it)", "[John]", "♪ la la la ♪", "2 * 3 * 4",
    ],
)  # fmt: skip
def test_words_of_every_script_stay(text: str) -> None:
    assert not is_no_speech(text)


@pytest.mark.parametrize(
    "text",
    [
        "Thanks for watching!", "Thank you for watching.", "Untertitel der Amara.org-Community", "Продолжение следует...",
        "ご視聴ありがとうございました", "시청해 주셔서 감사합니다.", "Sous-titres réalisés par la communauté d'Amara.org",
    ],
)  # fmt: skip
def test_phrases_of_captions_are_believed_only_over_speech(text: str) -> None:
    segment = Segment(10.0, 12.0, text)
    assert not is_spoken(segment, [Span(0.0, 9.0), Span(11.8, 20.0)])
    assert is_spoken(segment, [Span(10.5, 12.0)])
    assert is_spoken(segment, [], times_estimated=True)


def test_usual_words_over_silence_stay_for_the_checks_of_doubtful_text() -> None:
    assert is_spoken(Segment(10.0, 12.0, "Good morning."), [])
