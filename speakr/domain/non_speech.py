"""Texts that engines write where there is no speech.

The rule: a segment counts as no speech if its text has neither a letter nor a digit of any script, or is nothing but
bracketed annotations of sounds ("[BLANK_AUDIO]", "(music)"). Phrases from the captions that models were trained on ("Thanks
for watching!") count as no speech only where no speech was found, because people say them too. The lists are short on
purpose: a text that is not on them stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from speakr.domain.transcript import Segment, Span

MAX_SPEECH_SHARE: Final = 0.2
"""Share of a segment's time with detected speech, up to which a phrase of captions is not believed."""
_MAX_LENGTH = 120
"""In characters: what is longer is no annotation."""

_ANNOTATIONS: Final = frozenset(
    unicodedata.normalize("NFKC", name).casefold()
    for name in (
        "blank_audio", "blank audio", "no audio", "no speech", "silence", "pause", "noise", "background noise",
        "music", "music playing", "background music", "soft music", "upbeat music", "dramatic music",
        "applause", "laughter", "static", "beep", "clicking", "typing", "wind blowing", "birds chirping",
        "musik", "stille", "applaus", "gelächter", "rauschen",
        "musique", "silence", "applaudissements", "rires",
        "música", "silencio", "silêncio", "aplausos", "risas", "risos", "musica", "silenzio", "applausi",
        "muziek", "stilte", "muzyka", "cisza", "oklaski", "müzik", "hudba",
        "музыка", "тишина", "аплодисменты", "смех", "музика",
        "音楽", "拍手", "無音", "笑い", "音乐", "音樂", "掌声", "掌聲", "笑声", "无声", "음악", "박수", "웃음",
        "موسيقى", "تصفيق", "صمت", "מוזיקה", "संगीत", "तालियां",
    )
)  # fmt: skip
_BRACKETED = re.compile(
    r"\[[^\[\]]*\]|\([^()]*\)|\*[^*]+\*|【[^【】]*】|［[^［］]*］|（[^（）]*）|<[^<>]*>|[♪♫♬]+[^♪♫♬]*[♪♫♬]+"  # noqa: RUF001 - full-width brackets of Chinese and Japanese
)
_BRACKETS = "[]()*【】［］（）<>♪♫♬ \t"  # noqa: RUF001 - as above

_CAPTIONS: Final = frozenset(
    (
        "thanks for watching", "thank you for watching", "thank you so much for watching",
        "thanks for watching and i'll see you in the next video", "please subscribe to my channel",
        "please subscribe", "like and subscribe", "subtitles by the amaraorg community",
        "untertitel der amaraorg-community", "untertitel im auftrag des zdf für funk 2017",
        "untertitelung des zdf 2020", "untertitelung aufgrund der amaraorg-community",
        "vielen dank fürs zuschauen", "sous-titres réalisés par la communauté d'amaraorg",
        "sous-titrage st' 501", "merci d'avoir regardé cette vidéo",
        "subtítulos realizados por la comunidad de amaraorg", "¡gracias por ver el video", "gracias por ver el video",
        "legendas pela comunidade amaraorg", "obrigado por assistir", "sottotitoli creati dalla comunità amaraorg",
        "ondertiteld door de amaraorg gemeenschap", "napisy stworzone przez społeczność amaraorg",
        "altyazı mk", "izlediğiniz için teşekkür ederim", "субтитры сделал dimatorzok", "субтитры создавал dimatorzok",  # noqa: RUF001
        "продолжение следует", "спасибо за просмотр", "ご視聴ありがとうございました", "ご清聴ありがとうございました",
        "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", "谢谢观看", "謝謝觀看", "시청해 주셔서 감사합니다", "시청해주셔서 감사합니다",
        "شكرا للمشاهدة", "ترجمة نانسي قنقر",
    )
)  # fmt: skip
_PUNCTUATION = re.compile(r"[.!?…。！？،,¡:\"“”]")  # noqa: RUF001 - the full-width ones are of Chinese and Japanese


def is_no_speech(text: str) -> bool:
    """Tell whether a text is no speech, wherever it stands. An empty text is none."""
    if not any(character.isalnum() for character in text):
        return True
    if len(text) > _MAX_LENGTH:
        return False
    found = _BRACKETED.findall(text)
    rest = _BRACKETED.sub("", text)
    return bool(found) and not any(map(str.isalnum, rest)) and all(map(_is_annotation, found))


def is_caption(text: str) -> bool:
    """Tell whether a text is a phrase that models learned from the captions of videos."""
    if len(text) > _MAX_LENGTH:
        return False
    return " ".join(_PUNCTUATION.sub("", text.casefold()).split()) in _CAPTIONS


def is_spoken(segment: Segment, speech: Sequence[Span], *, times_estimated: bool = False) -> bool:
    """Tell whether a segment is speech. speech: spans of detected speech; they say nothing of estimated times."""
    if is_no_speech(segment.text):
        return False
    if times_estimated or not is_caption(segment.text):
        return True
    seconds = segment.end - segment.start
    spoken = sum(max(0.0, min(segment.end, span.end) - max(segment.start, span.start)) for span in speech)
    return seconds <= 0 or spoken > MAX_SPEECH_SHARE * seconds


def _is_annotation(bracketed: str) -> bool:
    name = unicodedata.normalize("NFKC", bracketed).casefold().strip(_BRACKETS).strip(". …!")
    return not any(map(str.isalnum, name)) or name in _ANNOTATIONS
