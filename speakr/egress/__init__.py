"""Outbound HTTP to addresses that users typed.

Nothing here loads aiohttp; the dispatcher takes its guarded session from `speakr.egress.client`.
"""

from speakr.egress.addresses import is_public
from speakr.egress.guard import AddressRefused, AllowList, CheckedUrl, NameNotResolved, check_url
from speakr.egress.urls import WebUrl, parse_url

__all__ = [
    "AddressRefused",
    "AllowList",
    "CheckedUrl",
    "NameNotResolved",
    "WebUrl",
    "check_url",
    "is_public",
    "parse_url",
]
