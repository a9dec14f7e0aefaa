"""Which addresses are public, and what the others are.

IPv4 addresses are public unless listed. For IPv6 only global unicast (2000::/3) can be public, so an unlisted range
is closed. Sources: the IANA special-purpose address registries (RFC 6890) and
the metadata addresses that cloud providers document.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

IpAddress = IPv4Address | IPv6Address


class Opening(Enum):
    """What an administrator must list to open a closed address."""

    BY_NAME = "the host name or its network"
    BY_RANGE = "its network"
    NEVER = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """Why an address is not public. `kind` completes the sentence "the host is ..."."""

    kind: str
    opening: Opening


METADATA = Closed("a cloud metadata address", Opening.NEVER)
_LINK_LOCAL = Closed("a link-local address, where cloud metadata services live", Opening.NEVER)
_UNSPECIFIED = Closed("an unspecified address, which means this machine", Opening.NEVER)
_MULTICAST = Closed("a multicast address", Opening.NEVER)
_DISGUISED = Closed("an IPv6 address that carries an IPv4 address", Opening.NEVER)
LOOPBACK = Closed("a loopback address", Opening.BY_RANGE)
_DOCUMENTATION = Closed("a documentation address", Opening.BY_RANGE)
_RESERVED = Closed("a reserved address", Opening.BY_RANGE)
_PRIVATE = Closed("a private address", Opening.BY_NAME)

# The first match decides: metadata addresses stand before the ranges they lie in.
_IPV4: tuple[tuple[IPv4Network, Closed], ...] = (
    (IPv4Network("168.63.129.16/32"), METADATA),  # Azure; by its number a public address
    (IPv4Network("192.0.0.192/32"), METADATA),  # Oracle
    (IPv4Network("100.100.100.200/32"), METADATA),  # Alibaba
    (IPv4Network("169.254.0.0/16"), _LINK_LOCAL),
    (IPv4Network("0.0.0.0/8"), _UNSPECIFIED),
    (IPv4Network("224.0.0.0/4"), _MULTICAST),
    (IPv4Network("255.255.255.255/32"), Closed("the broadcast address", Opening.NEVER)),
    (IPv4Network("127.0.0.0/8"), LOOPBACK),
    (IPv4Network("10.0.0.0/8"), _PRIVATE),
    (IPv4Network("172.16.0.0/12"), _PRIVATE),
    (IPv4Network("192.168.0.0/16"), _PRIVATE),
    (IPv4Network("100.64.0.0/10"), Closed("a shared (carrier NAT) address", Opening.BY_NAME)),
    (IPv4Network("192.0.0.0/24"), _RESERVED),
    (IPv4Network("192.88.99.0/24"), _RESERVED),  # 6to4 relays, withdrawn by RFC 7526
    (IPv4Network("192.0.2.0/24"), _DOCUMENTATION),
    (IPv4Network("198.51.100.0/24"), _DOCUMENTATION),
    (IPv4Network("203.0.113.0/24"), _DOCUMENTATION),
    (IPv4Network("198.18.0.0/15"), Closed("a benchmarking address", Opening.BY_RANGE)),
    (IPv4Network("240.0.0.0/4"), _RESERVED),
)

_IPV6: tuple[tuple[IPv6Network, Closed], ...] = (
    (IPv6Network("fd00:ec2::/32"), METADATA),  # Amazon: metadata, pod identity, time, names
    (IPv6Network("fd20:ce::/48"), METADATA),  # Google
    (IPv6Network("fd00:c1::a9fe:a9fe/128"), METADATA),  # Oracle
    (IPv6Network("fd00:42::42/128"), METADATA),  # Scaleway
    (IPv6Network("fd00:a9fe:a9fe::1/128"), METADATA),  # Akamai
    (IPv6Network("fe80::/10"), _LINK_LOCAL),
    (IPv6Network("ff00::/8"), _MULTICAST),
    (IPv6Network("::/128"), _UNSPECIFIED),
    (IPv6Network("::1/128"), LOOPBACK),
    (IPv6Network("::/96"), _DISGUISED),  # IPv4-compatible, RFC 4291 2.5.5.1
    (IPv6Network("::ffff:0:0/96"), _DISGUISED),  # IPv4-mapped, RFC 4291 2.5.5.2
    (IPv6Network("::ffff:0:0:0/96"), _DISGUISED),  # IPv4-translated, RFC 2765
    (IPv6Network("64:ff9b:1::/48"), _DISGUISED),  # local-use NAT64, RFC 8215
    (IPv6Network("2001::/32"), _DISGUISED),  # Teredo, RFC 4380
    (IPv6Network("2002::/16"), _DISGUISED),  # 6to4, RFC 3056
    (IPv6Network("fc00::/7"), _PRIVATE),
    (IPv6Network("fec0::/10"), Closed("a site-local address", Opening.BY_RANGE)),
    (IPv6Network("2001::/23"), _RESERVED),
    (IPv6Network("2001:db8::/32"), _DOCUMENTATION),
    (IPv6Network("3fff::/20"), _DOCUMENTATION),
    (IPv6Network("3ffe::/16"), _RESERVED),  # 6bone, given back by RFC 3701
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP_MARKS = frozenset({0x0000_5EFE, 0x0200_5EFE})


def closed(address: IpAddress) -> Closed | None:
    """Return why an address is not public, or None if it is."""
    if isinstance(address, IPv4Address):
        return next((why for network, why in _IPV4 if address in network), None)
    low = int(address) & 0xFFFF_FFFF
    if address in _NAT64:
        # The well-known NAT64 prefix (RFC 6052) is how IPv6-only hosts reach the IPv4 internet, and leads
        # where the embedded address leads.
        return _DISGUISED if closed(IPv4Address(low)) else None
    is_isatap = (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP_MARKS  # RFC 5214 6.1
    if is_isatap and closed(IPv4Address(low)):
        return _DISGUISED
    for network, why in _IPV6:
        if address in network:
            return why
    return None if address in _GLOBAL_UNICAST else _RESERVED


def is_public(address: IpAddress | str) -> bool:
    """Return True if any host on the internet could reach this address.

    Raises `ValueError` when the text is not an IP address in its canonical spelling.
    """
    return closed(ip_address(address) if isinstance(address, str) else address) is None
