"""Clean names and texts of clients for storage and display."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, urlsplit

MAX_FILENAME_LENGTH = 255
MIME_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
SURROGATES = re.compile("[\ud800-\udfff]")
# control characters, marks that turn the direction of text, line separators, byte order mark
NOT_IN_NAMES = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def clean_text(value: str, max_length: int) -> str:
    """Make text storable: no NUL, U+FFFD for lone surrogates, at most `max_length` characters."""
    return SURROGATES.sub("\ufffd", value.replace("\0", ""))[:max_length]


def clean_filename(value: str | None) -> str:
    r"""Return the last path component (`/` and `\` both separate), cleaned for display, at most 255 characters.

    A name that is too long keeps its extension. An empty one becomes `upload`.
    """
    last = re.split(r"[/\\]", value or "")[-1]
    name = unicodedata.normalize("NFC", SURROGATES.sub("\ufffd", NOT_IN_NAMES.sub("", last))).strip()
    if not name.strip(". "):
        return "upload"
    if len(name) > MAX_FILENAME_LENGTH:
        stem, dot, extension = name.rpartition(".")
        tail = dot + extension if stem and len(extension) <= 16 else ""  # noqa: PLR2004 - longer is no extension
        name = name[: MAX_FILENAME_LENGTH - len(tail)] + tail
    return name


def name_in_url(url: str) -> str | None:
    """Return the last part of an address's path, decoded, if there is one."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    return unquote(path.rpartition("/")[2]) or None


def clean_mime_type(value: str | None) -> str | None:
    """Return a media type in lower case and without parameters, or None when it is missing or invalid."""
    plain = (value or "").partition(";")[0].strip().lower()
    return plain if MIME_TYPE.fullmatch(plain) else None
