"""Public or not: one address of every kind, and the neighbours just outside each range."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakr.egress import is_public
from speakr.egress.addresses import Opening, closed

CLOSED = """
0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255
169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.0 172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.170 192.0.0.192
192.0.2.7 192.88.99.1 192.168.0.0 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.255
224.0.0.251 233.252.0.1 239.255.255.250 240.0.0.1 255.255.255.255 168.63.129.16 100.100.100.200
:: ::1 ::2 ::127.0.0.1 ::93.184.216.34 ::ffff:127.0.0.1 ::ffff:93.184.216.34 ::ffff:0:10.0.0.1
64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b::168.63.129.16 64:ff9b:1::93.184.216.34
64:ff9b:1:ffff::1 64:ff9c::1 100::1 100:0:0:1::1 200::1 2001::1 2001:0:53aa:64c::1 2001:2::1 2001:10::1
2001:20::1 2001:1ff:ffff::1 2001:db8::1 2001:db8:ffff::1 2002::1 2002:7f00:1:: 2002:5db8:d822:: 3ffe::1
3fff::1 3fff:fff:ffff::1 4000::1 5f00::1 8000::1 fc00::1 fd00::1 fdff::1 fd00:ec2::254 fd00:ec2::23 fd20:ce::254
fd00:c1::a9fe:a9fe fd00:42::42 fe80::1 fe80::a9fe:a9fe febf::1 fec0::1 feff::1 ff02::1 ff0e::1
2606:2800:220:1:0:5efe:7f00:1 2606:2800:220:1:200:5efe:10.0.0.1
"""

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1
168.63.129.15 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.167.255.255
192.169.0.0 198.17.255.255 198.20.0.0 203.0.112.255 203.0.114.0 223.255.255.255
2001:200::1 2001:4860:4860::8888 2001:db7::1 2003::1 2606:4700:4700::1111 2606:2800:220:1:248:1893:25c8:1946
2a00:1450::1 3fff:1000::1 64:ff9b::93.184.216.34 2606:2800:220:1:0:5efe:5db8:d822
"""


@pytest.mark.parametrize("address", CLOSED.split())
def test_closed_addresses(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public_addresses(address):
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_the_standard_library_calls_special_is_never_public(address: IPv4Address):
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert not is_public(address)


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_outside_global_unicast_is_never_public(address: IPv6Address):
    if not address.is_global or int(address) >> 125 != 1:
        assert not is_public(address) or address in IPv6Network("64:ff9b::/96")


@given(st.ip_addresses(v=4))
def test_an_embedded_ipv4_address_is_at_most_as_public_as_the_plain_one(inner: IPv4Address):
    low = int(inner)
    forms = [low, 0xFFFF << 32 | low, 0x2002 << 112 | low << 80, 0x64_FF9B_0001 << 80 | low]
    assert not any(is_public(IPv6Address(form)) for form in forms)
    nat64 = IPv6Address(0x64_FF9B << 96 | low)
    assert is_public(nat64) == is_public(inner)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "::"]
)
def test_metadata_and_unspecified_can_never_be_opened(address):
    why = closed(ip_address(address))
    assert why is not None
    assert why.opening is Opening.NEVER


@pytest.mark.parametrize("spelling", ["127.1", "0x7f000001", "017700000001", "2130706433", "010.0.0.1", "a"])
def test_only_canonical_spellings_are_addresses(spelling):
    with pytest.raises(ValueError, match="does not appear"):
        is_public(spelling)
