"""Addresses that users typed, read strictly.

Parsers disagree about what a sloppy URL means, and that disagreement is how a guard is passed. So there is
one spelling: what is not plainly `http(s)://host[:port][/path][?query]` is refused with its reason, and what
is accepted is written out again as the one ASCII form that is later sent.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote

import idna

from speakr.domain.errors import Invalid
from speakr.egress.addresses import IpAddress

MAX_URL_CHARACTERS = 2048

# Services that never speak HTTP but may act on text sent to them: the "bad ports" of the Fetch standard,
# then databases, queues and remote desktops it leaves out, then tickets, machines, printers and repositories,
# then unauthenticated control planes (Docker, etcd, Elasticsearch, kubelet) that do speak HTTP and are never webhook receivers.
# fmt: off
CLOSED_PORTS = frozenset({
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
    109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
    526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
    3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    138, 162, 445, 873, 1433, 1521, 1883, 2181, 3306, 3389, 4222, 5432, 5672, 5900, 5901, 6379, 6380, 9042,
    9092, 11211, 27017, 27018, 27019, 61613, 61616,
    88, 502, 2377, 3690, 4369, 5353, 9100, 9418,
    2375, 2376, 2379, 2380, 9200, 9300, 10250, 10255,
})
# fmt: on

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535
_MAX_LABEL, _MAX_NAME = 63, 253
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(/[^?#]*)?(?:\?([^#]*))?(#.*)?")
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::(.*))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")  # the underscore: compose services have it
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")  # what libc would read as a piece of an IPv4 address
_STOPS = re.compile("[.\u3002\uff0e\uff61]")  # what UTS #46 takes for a dot
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH_SAFE = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class WebUrl:
    """One accepted address. `text` is the ASCII form to send; `host` has no brackets and no final dot."""

    text: str
    scheme: str
    host: str
    port: int

    @property
    def literal(self) -> IpAddress | None:
        """The host as an IP address, or None when it is a name."""
        return literal_address(self.host)


def invalid_url(message: str) -> Invalid:
    """Make the error for an address that cannot be read or used."""
    return Invalid(message, code="invalid_url", errors={"url": [message]})


def parse_url(text: str, *, allow_http: bool) -> WebUrl:
    """Read an address strictly, without looking any name up.

    Raises `Invalid` when it is not a plain http(s) URL; the message names the reason.
    """
    _refuse_characters(text)
    match = _URL.fullmatch(text)
    if match is None:
        raise invalid_url("The address must be a full URL such as https://example.com/hook.")
    scheme, authority, path, query, fragment = match.groups()
    scheme = scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise invalid_url("The address must begin with https:// (or http:// where that is allowed).")
    if scheme == "http" and not allow_http:
        raise invalid_url("The address uses http; use https, or set allow_http to send without encryption.")
    if fragment is not None:
        raise invalid_url("The address must not have a fragment (the part after #).")
    host, port = _host_and_port(authority, _DEFAULT_PORTS[scheme])
    shown = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORTS[scheme]:
        shown = f"{shown}:{port}"
    wire = f"{scheme}://{shown}{_escaped(path or '/', '')}"
    if query:
        wire += f"?{_escaped(query, '?[]')}"
    return WebUrl(text=wire, scheme=scheme, host=host, port=port)


def ascii_host(host: str) -> str:
    """Return a host name or address in its one ASCII spelling: lower case, A-labels, no final dot.

    Raises `Invalid` when it is neither a name (RFC 1123, IDNA 2008) nor an IPv4 address in canonical
    spelling.
    """
    name = host.lower().removesuffix(".") if host.isascii() else _idna(host)
    labels = name.split(".")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(name))
        except AddressValueError:
            raise invalid_url("The address must spell an IPv4 host as four decimal numbers.") from None
    if len(name) > _MAX_NAME or not all(
        len(label) <= _MAX_LABEL and _LABEL.fullmatch(label) for label in labels
    ):
        raise invalid_url("The host name in the address is not valid.")
    return name


def literal_address(host: str) -> IpAddress | None:
    """Return the IP address that a host is spelled as, or None for a name."""
    try:
        return IPv6Address(host) if ":" in host else IPv4Address(host)
    except AddressValueError:
        return None


def _refuse_characters(text: str) -> None:
    if len(text) > MAX_URL_CHARACTERS:
        raise invalid_url(f"The address is longer than {MAX_URL_CHARACTERS} characters.")
    for character in text:
        # Cc control, Cs half a surrogate pair, Z* spaces and line separators
        if unicodedata.category(character) in {"Cc", "Cs", "Zs", "Zl", "Zp"}:
            raise invalid_url("The address must not contain spaces, line breaks or control characters.")
        if character == "\\":
            raise invalid_url("The address must not contain a backslash.")


def _host_and_port(authority: str, default_port: int) -> tuple[str, int]:
    if "@" in authority:
        raise invalid_url("The address must not contain a user name or password.")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise invalid_url("The host or port in the address is not valid.")
    ipv6, name, port_text = match.groups()
    if ipv6 is None:
        host = ascii_host(name)
    else:
        try:
            host = str(IPv6Address(ipv6))
        except AddressValueError:
            raise invalid_url("The IPv6 host in the address is not valid.") from None
    return host, default_port if port_text is None else _port(port_text)


def _port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > _MAX_PORT:
        raise invalid_url("The port in the address must be a number from 1 to 65535.")
    if int(text) in CLOSED_PORTS:
        raise invalid_url(f"Port {text} belongs to a service that is not a web server.")
    return int(text)


def _idna(host: str) -> str:
    """Return the A-label form of an international name (IDNA 2008 with UTS #46 mapping, no final dot)."""
    try:
        name = idna.encode(host, uts46=True, transitional=False).decode("ascii").removesuffix(".")
    except (idna.IDNAError, UnicodeError):
        raise invalid_url("The host name in the address is not valid.") from None
    # Fullwidth digits and invisible hyphens normalise to plain ASCII. No real host name needs them; attackers use
    # them to disguise an address.
    typed, encoded = _STOPS.split(host.removesuffix(".")), name.split(".")
    if len(typed) != len(encoded) or any(
        not label.isascii() and not a_label.startswith("xn--")
        for label, a_label in zip(typed, encoded, strict=True)
    ):
        raise invalid_url("The host name in the address is written with look-alike characters.")
    return name


def _escaped(part: str, more_safe: str) -> str:
    """Percent-encode what may not stand in a URL; what is already encoded stays as it was typed."""
    return quote(_STRAY_PERCENT.sub("%25", part), safe=_PATH_SAFE + more_safe)
