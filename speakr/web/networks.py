"""Tell clients apart by their addresses."""

from __future__ import annotations

import ipaddress

_IPV6_NETWORK_BITS = 64
"""What a provider gives one customer, who could otherwise avoid limits by changing the address."""


def network_of(address: str) -> str:
    """Return the key of a client: its IPv4 address, or the network of its IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]  # a Unix socket has none, and proxies may write anything
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), _IPV6_NETWORK_BITS), strict=False))
    return str(parsed)
