"""Rules for passwords that users choose when they register."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

from speakr.domain.errors import Invalid

MIN_LENGTH = 8
_MAX_SIMILARITY = 0.7
_MIN_COMPARED = 3
"""Shorter parts of a name are in too many passwords."""

_COMMON = frozenset(
    [
        "00000000",
        "11111111",
        "12121212",
        "12341234",
        "12345678",
        "123456789",
        "1234567890",
        "123qwe123",
        "1q2w3e4r",
        "1q2w3e4r5t",
        "1qaz2wsx",
        "22222222",
        "55555555",
        "66666666",
        "77777777",
        "87654321",
        "88888888",
        "987654321",
        "99999999",
        "a1b2c3d4",
        "a12345678",
        "aa123456",
        "aaaaaaaa",
        "abc12345",
        "abcd1234",
        "abcdefgh",
        "access14",
        "administrator",
        "adminadmin",
        "admin123",
        "admin1234",
        "airborne",
        "alexander",
        "aa12345678",
        "babygirl",
        "babygirl1",
        "baseball",
        "baseball1",
        "basketball",
        "blink182",
        "butterfly",
        "changeme",
        "charlie1",
        "chocolate",
        "christian",
        "computer",
        "computer1",
        "corvette",
        "december",
        "dolphins",
        "dragon123",
        "einstein",
        "elephant",
        "evangelion",
        "explorer",
        "facebook",
        "fireball",
        "football",
        "football1",
        "forever1",
        "friendship",
        "fuckyou1",
        "godzilla",
        "guardian",
        "hello123",
        "helloworld",
        "iloveyou",
        "iloveyou1",
        "iloveyou2",
        "internet",
        "jennifer",
        "jessica1",
        "jordan23",
        "jonathan",
        "justin123",
        "killer123",
        "letmein1",
        "letmein123",
        "liverpool",
        "login123",
        "lovely123",
        "manchester",
        "marlboro",
        "master123",
        "mercedes",
        "michael1",
        "michelle",
        "microsoft",
        "midnight",
        "monkey123",
        "motorola",
        "mustang1",
        "myspace1",
        "nicholas",
        "november",
        "p@ssw0rd",
        "p@ssword",
        "pa55word",
        "pakistan",
        "passw0rd",
        "password",
        "password!",
        "password01",
        "password1",
        "password1!",
        "password12",
        "password123",
        "password1234",
        "password2",
        "password3",
        "passwort",
        "patricia",
        "princess",
        "princess1",
        "q1w2e3r4",
        "q1w2e3r4t5",
        "qazwsxedc",
        "qq123456",
        "qwe12345",
        "qwer1234",
        "qwert123",
        "qwerty12",
        "qwerty123",
        "qwerty1234",
        "qwertyui",
        "qwertyuiop",
        "rainbow1",
        "samantha",
        "samsung1",
        "secret123",
        "september",
        "shadow12",
        "skywalker",
        "slipknot",
        "snowball",
        "spiderman",
        "starwars",
        "startrek",
        "steelers",
        "stephanie",
        "summer12",
        "sunshine",
        "sunshine1",
        "superman",
        "superman1",
        "superstar",
        "swordfish",
        "system32",
        "test1234",
        "testtest",
        "testing123",
        "trustno1",
        "university",
        "victoria",
        "welcome1",
        "welcome123",
        "whatever",
        "william1",
        "yankees1",
        "zaq12wsx",
        "zaq1zaq1",
        "zxcvbnm1",
        "zxcvbnm123",
    ]
)


def check(password: str, *, own: Iterable[str | None]) -> None:
    """Refuse a password that is too short, only digits, common, or like the user's own data.

    own: the user's names and e-mail address.

    Raises:
        Invalid: every reason is listed under `password`.

    """
    reasons = list(_reasons(password, [text for text in own if text]))
    if reasons:
        raise Invalid(" ".join(reasons), code="weak_password", errors={"password": reasons})


def _reasons(password: str, own: list[str]) -> Iterator[str]:
    if len(password) < MIN_LENGTH:
        yield f"The password is too short: it needs at least {MIN_LENGTH} characters."
    if password.isdigit():
        yield "The password has only digits."
    if password.casefold() in _COMMON:
        yield "The password is too common."
    if any(_is_similar(password.casefold(), text.casefold()) for text in own):
        yield "The password is too similar to the name or the e-mail address."


def _is_similar(password: str, text: str) -> bool:
    parts = {text, *re.split(r"\W+", text)}
    return any(
        SequenceMatcher(a=password, b=part).quick_ratio() >= _MAX_SIMILARITY
        for part in parts
        if len(part) >= _MIN_COMPARED
    )
