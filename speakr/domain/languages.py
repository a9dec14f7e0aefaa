"""Languages by any of their names, as ISO 639-1 codes.

The rule: what users send and what engines answer goes through `read` or `code_of`, so only codes are stored with recordings
and sent to engines. A language may be named by a code (ISO 639-1, or ISO 639-2 and 639-3 for spoken languages that
engines know), by a tag with a region or script (`en-US`, `de_DE`: BCP 47), by its English name or by its own name.
`auto` and the like mean that the engine detects the language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

MAX_NAME_LENGTH: Final = 40

DETECT: Final = frozenset(
    {"", "auto", "automatic", "autodetect", "auto-detect", "detect", "detect language", "und", "none", "null"}
)
"""What clients send, and engines answer, for "no certain language"."""

_ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es"
    " et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki"
    " kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no"
    " nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te"
    " tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
_LONGER_CODES = "haw yue"
"""Languages without a code of two letters that Whisper models know."""

CODES: Final = frozenset(f"{_ISO_639_1} {_LONGER_CODES}".split())

_OTHER_CODES: Mapping[str, str] = {
    # Codes that ISO 639-1 has replaced, and Norwegian as engines call it.
    "iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "sh": "sr", "nb": "no", "nob": "no", "cmn": "zh",
    # ISO 639-2 (both forms) and 639-3.
    "afr": "af", "alb": "sq", "sqi": "sq", "amh": "am", "ara": "ar", "arm": "hy", "hye": "hy", "asm": "as",
    "aze": "az", "bak": "ba", "baq": "eu", "eus": "eu", "bel": "be", "ben": "bn", "bod": "bo", "tib": "bo",
    "bos": "bs", "bre": "br", "bul": "bg", "bur": "my", "mya": "my", "cat": "ca", "ces": "cs", "cze": "cs",
    "chi": "zh", "zho": "zh", "cym": "cy", "wel": "cy", "dan": "da", "deu": "de", "ger": "de", "dut": "nl",
    "nld": "nl", "ell": "el", "gre": "el", "eng": "en", "epo": "eo", "est": "et", "fao": "fo", "fas": "fa",
    "per": "fa", "fil": "tl", "fin": "fi", "fra": "fr", "fre": "fr", "fry": "fy", "geo": "ka", "kat": "ka",
    "gla": "gd", "gle": "ga", "glg": "gl", "guj": "gu", "hat": "ht", "hau": "ha", "heb": "he", "hin": "hi",
    "hrv": "hr", "hun": "hu", "ibo": "ig", "ice": "is", "isl": "is", "ind": "id", "ita": "it", "jav": "jv",
    "jpn": "ja", "kan": "kn", "kaz": "kk", "khm": "km", "kin": "rw", "kir": "ky", "kor": "ko", "kur": "ku",
    "lao": "lo", "lat": "la", "lav": "lv", "lin": "ln", "lit": "lt", "ltz": "lb", "mac": "mk", "mkd": "mk",
    "mal": "ml", "mao": "mi", "mri": "mi", "mar": "mr", "may": "ms", "msa": "ms", "mlg": "mg", "mlt": "mt",
    "mon": "mn", "nep": "ne", "nno": "nn", "nor": "no", "oci": "oc", "pan": "pa", "pol": "pl", "por": "pt",
    "pus": "ps", "ron": "ro", "rum": "ro", "rus": "ru", "san": "sa", "sin": "si", "slk": "sk", "slo": "sk",
    "slv": "sl", "sna": "sn", "snd": "sd", "som": "so", "spa": "es", "srp": "sr", "sun": "su", "swa": "sw",
    "swe": "sv", "tam": "ta", "tat": "tt", "tel": "te", "tgk": "tg", "tgl": "tl", "tha": "th", "tuk": "tk",
    "tur": "tr", "uig": "ug", "ukr": "uk", "urd": "ur", "uzb": "uz", "vie": "vi", "xho": "xh", "yid": "yi",
    "yor": "yo", "zul": "zu",
}  # fmt: skip

_ENGLISH_NAMES: Mapping[str, str] = {
    "afrikaans": "af", "albanian": "sq", "amharic": "am", "arabic": "ar", "armenian": "hy", "assamese": "as",
    "azerbaijani": "az", "bashkir": "ba", "basque": "eu", "belarusian": "be", "bengali": "bn", "bosnian": "bs",
    "brazilian portuguese": "pt", "breton": "br", "bulgarian": "bg", "burmese": "my", "cantonese": "yue",
    "castilian": "es", "catalan": "ca", "chinese": "zh", "croatian": "hr", "czech": "cs", "danish": "da",
    "dutch": "nl", "english": "en", "esperanto": "eo", "estonian": "et", "faroese": "fo", "farsi": "fa",
    "filipino": "tl", "finnish": "fi", "flemish": "nl", "french": "fr", "frisian": "fy", "galician": "gl",
    "georgian": "ka", "german": "de", "greek": "el", "gujarati": "gu", "haitian": "ht", "haitian creole": "ht",
    "hausa": "ha", "hawaiian": "haw", "hebrew": "he", "hindi": "hi", "hungarian": "hu", "icelandic": "is",
    "igbo": "ig", "indonesian": "id", "irish": "ga", "italian": "it", "japanese": "ja", "javanese": "jv",
    "kannada": "kn", "kazakh": "kk", "khmer": "km", "kinyarwanda": "rw", "korean": "ko", "kurdish": "ku",
    "kyrgyz": "ky", "lao": "lo", "latin": "la", "latvian": "lv", "letzeburgesch": "lb", "lingala": "ln",
    "lithuanian": "lt", "luxembourgish": "lb", "macedonian": "mk", "malagasy": "mg", "malay": "ms",
    "malayalam": "ml", "maltese": "mt", "mandarin": "zh", "mandarin chinese": "zh", "maori": "mi",
    "marathi": "mr", "moldavian": "ro", "moldovan": "ro", "mongolian": "mn", "myanmar": "my", "nepali": "ne",
    "norwegian": "no", "norwegian nynorsk": "nn", "nynorsk": "nn", "occitan": "oc", "panjabi": "pa",
    "pashto": "ps", "persian": "fa", "polish": "pl", "portuguese": "pt", "punjabi": "pa", "pushto": "ps",
    "romanian": "ro", "russian": "ru", "sanskrit": "sa", "scottish gaelic": "gd", "serbian": "sr",
    "shona": "sn", "simplified chinese": "zh", "sindhi": "sd", "sinhala": "si", "sinhalese": "si",
    "slovak": "sk", "slovene": "sl", "slovenian": "sl", "somali": "so", "spanish": "es", "sundanese": "su",
    "swahili": "sw", "swedish": "sv", "tagalog": "tl", "tajik": "tg", "tamil": "ta", "tatar": "tt",
    "telugu": "te", "thai": "th", "tibetan": "bo", "traditional chinese": "zh", "turkish": "tr",
    "turkmen": "tk", "ukrainian": "uk", "urdu": "ur", "uyghur": "ug", "uzbek": "uz", "valencian": "ca",
    "vietnamese": "vi", "welsh": "cy", "xhosa": "xh", "yiddish": "yi", "yoruba": "yo", "zulu": "zu",
}  # fmt: skip

_OWN_NAMES: Mapping[str, str] = {
    "bahasa indonesia": "id", "bahasa melayu": "ms", "bokmål": "no", "català": "ca", "cymraeg": "cy",
    "dansk": "da", "deutsch": "de", "eesti": "et", "español": "es", "espanol": "es", "euskara": "eu",
    "français": "fr", "francais": "fr", "gaeilge": "ga", "galego": "gl", "hrvatski": "hr", "italiano": "it",
    "kiswahili": "sw", "latviešu": "lv", "lietuvių": "lt", "lëtzebuergesch": "lb", "magyar": "hu",
    "malti": "mt", "nederlands": "nl", "norsk": "no", "polski": "pl", "português": "pt", "portugues": "pt",
    "română": "ro", "romana": "ro", "shqip": "sq", "slovenčina": "sk", "slovenščina": "sl", "suomi": "fi",
    "svenska": "sv", "tiếng việt": "vi", "türkçe": "tr", "turkce": "tr", "vlaams": "nl", "íslenska": "is",
    "čeština": "cs", "cestina": "cs", "ελληνικά": "el", "беларуская": "be", "български": "bg",
    "македонски": "mk", "монгол": "mn", "русский": "ru", "српски": "sr", "srpski": "sr", "українська": "uk",
    "қазақ тілі": "kk", "հայերեն": "hy", "עברית": "he", "اردو": "ur", "العربية": "ar", "عربي": "ar",
    "فارسی": "fa", "हिन्दी": "hi", "हिंदी": "hi", "मराठी": "mr", "नेपाली": "ne", "বাংলা": "bn", "ગુજરાતી": "gu",
    "தமிழ்": "ta", "తెలుగు": "te", "ಕನ್ನಡ": "kn", "മലയാളം": "ml", "ไทย": "th", "ລາວ": "lo", "ქართული": "ka",
    "한국어": "ko", "中文": "zh", "汉语": "zh", "漢語": "zh", "普通话": "zh", "國語": "zh", "粵語": "yue", "粤语": "yue",
    "日本語": "ja",
}  # fmt: skip

_NOT_IN_WHISPER = frozenset(["eo", "fy", "ga", "gd", "ig", "ku", "ky", "rw", "ug", "xh", "zu"])
_WHISPER_CODES = (frozenset(_ENGLISH_NAMES.values()) - _NOT_IN_WHISPER - {"jv"}) | {"jw"}

_BY_NAME: Mapping[str, str] = {
    unicodedata.normalize("NFC", name): code
    for name, code in {**_ENGLISH_NAMES, **_OWN_NAMES, **_OTHER_CODES}.items()
}
_TAG = re.compile(r"([a-z]{2,3})([-_][a-z0-9]{2,8})*")
_IN_BRACKETS = re.compile(r"\s*\([^()]*\)$")

PATTERN: Final = f"^(auto|detect|({'|'.join(sorted(CODES))})([-_][A-Za-z]{{2,4}})?)?$"
"""For the OpenAPI document: only texts that are accepted, but not all of them, as names are left out."""


class NoLanguage(ValueError):
    """A text names no language."""


def read(text: str) -> str | None:
    """Return the code of the language that a text names; None if it asks for detection.

    Raises:
        NoLanguage: it does neither.

    """
    name = _normal(text)
    if name in DETECT:
        return None
    for candidate in (name, _IN_BRACKETS.sub("", name)):
        tag = _TAG.fullmatch(candidate)
        primary = tag[1] if tag else candidate
        for wanted in (candidate, primary):
            code = wanted if wanted in CODES else _BY_NAME.get(wanted)
            if code is not None:
                return _OTHER_CODES.get(code, code)
    raise NoLanguage(text)


def english_name(code: str) -> str:
    """Return the English name of a language in lower case, or its code if it has none here."""
    usual = {"es": "spanish", "pa": "punjabi", "fa": "persian", "pt": "portuguese"}
    return usual.get(code) or next((name for name, known in _ENGLISH_NAMES.items() if known == code), code)


def code_of(text: object) -> str | None:
    """Return the code of the language that an engine or an older version names; None if it names none."""
    try:
        return read(text) if isinstance(text, str) else None
    except NoLanguage:
        return None


def whisper_code(language: str | None) -> str | None:
    """Return the code by which Whisper models know a language; None if they do not know it."""
    code = code_of(language)
    code = "jw" if code == "jv" else code
    return code if code in _WHISPER_CODES else None


def read_tag(text: str) -> str | None:
    """Return a tag as it was written (`pt-BR`), and otherwise what `read` returns. Raises what `read` raises."""
    code = read(text)
    return text.strip() if code and "-" in text and _TAG.fullmatch(_normal(text)) else code


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split())).casefold()
