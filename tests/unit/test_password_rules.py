"""Rules for passwords."""

from __future__ import annotations

import pytest

from speakr.domain.errors import Invalid
from speakr.services.accounts import password_rules

OWN = ("john_doe", "john.doe@example.com", "John", "Doe", None, "")


@pytest.mark.parametrize(
    "password", ["SecurePass123!", "a long sentence", "пароль-надолго", "x" * 1000, "8chars!!"]
)
def test_good_passwords(password: str) -> None:
    password_rules.check(password, own=OWN)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("seven77", "too short"),
        ("8274619305", "only digits"),
        ("PassWord1", "too common"),
        ("john_doe", "too similar"),
        ("John.Doe1", "too similar"),
        ("example.com", "too similar"),
    ],
)
def test_weak_passwords(password: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        password_rules.check(password, own=OWN)
    assert refused.value.errors["password"]
    assert refused.value.slug == "weak_password"
