"""Redirects and ranges of downloads, as far as no server is needed to check them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from speakr.domain.errors import Invalid, PermanentJobError
from speakr.egress.downloads import _size_of_range, _target, _validator
from speakr.egress.urls import parse_url


def target(url: str, location: str) -> str:
    answer: Any = SimpleNamespace(headers={"Location": location}, status=302)
    return _target(parse_url(url, allow_http=True), answer).text


@pytest.mark.parametrize(
    ("url", "location", "expected"),
    [
        ("https://a.example/x/y", "z?q=1", "https://a.example/x/z?q=1"),
        ("https://a.example/x", "//b.example/y", "https://b.example/y"),
        ("http://a.example/x", "https://a.example/y#part", "https://a.example/y"),
        ("http://a.example/x", "http://b.example/", "http://b.example/"),
        ("https://a.example/x", "/%2e%2e/a%20b", "https://a.example/%2e%2e/a%20b"),
    ],
)
def test_where_a_redirect_leads(url: str, location: str, expected: str) -> None:
    assert target(url, location) == expected


def test_a_redirect_from_https_to_http_is_refused() -> None:
    with pytest.raises(PermanentJobError) as refused:
        target("https://a.example/x", "http://a.example/y")
    assert refused.value.slug == "address_refused"


@pytest.mark.parametrize(
    "location", ["ftp://a.example/", "https://a:b@a.example/", "https://a.example:22/", "data:,x"]
)
def test_a_redirect_to_no_plain_url_is_refused(location: str) -> None:
    with pytest.raises(Invalid):
        target("https://a.example/x", location)


@pytest.mark.parametrize(
    ("content_range", "size"),
    [
        ("bytes 10-99/100", 100),
        ("bytes 10-49/100", 100),
        ("bytes 9-99/100", None),
        ("bytes 10-100/100", None),
        ("bytes 10-99/*", None),
        ("bytes */100", None),
        ("10-99/100", None),
        ("", None),
    ],
)
def test_which_ranges_are_used(content_range: str, size: int | None) -> None:
    assert _size_of_range(content_range, 10) == size


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"ETag": '"a"', "Last-Modified": "Mon"}, '"a"'),
        ({"ETag": 'W/"a"', "Last-Modified": "Mon"}, "Mon"),
        ({"ETag": 'W/"a"'}, None),
        ({"ETag": '"' + "a" * 300 + '"'}, None),
        ({}, None),
    ],
)
def test_what_a_range_request_can_name(headers: dict[str, str], validator: str | None) -> None:
    assert _validator(headers) == validator
