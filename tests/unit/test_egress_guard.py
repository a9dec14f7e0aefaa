"""The guard at save time: the corpus, the allow-list and the sentences users read."""

import json
import socket
import threading
import time
from pathlib import Path

import pytest

from speakr.domain.errors import Invalid
from speakr.egress import AddressRefused, AllowList, NameNotResolved, check_url
from speakr.egress.guard import SETTING, name_not_resolved
from speakr.settings import SettingsError

CORPUS = json.loads((Path(__file__).parent / "ssrf_corpus.json").read_text(encoding="utf-8"))
PUBLIC = "93.184.216.34"
NOTHING = AllowList()


def zone(names):
    """A look-up over a fixed zone; a name may be written with its root dot."""
    known = {name.removesuffix("."): addresses for name, addresses in names.items()}

    def lookup(host, port):
        if host not in known:
            raise name_not_resolved(host)
        return known[host]

    return lookup


def check(url, names=None, allow=""):
    return check_url(url, allow_http=True, allow_list=AllowList.parse(allow), lookup=zone(names or {}))


@pytest.mark.parametrize(
    "case", [case for case in CORPUS if case["stage"] == "save"], ids=lambda case: case["url"]
)
def test_corpus_at_save(case):
    allow = ",".join(case.get("allowlist", []))
    if case["expect"] == "allow":
        assert check(case["url"], case.get("dns"), allow).addresses
    else:
        with pytest.raises(Invalid):
            check(case["url"], case.get("dns"), allow)


@pytest.mark.parametrize(
    "case", [case for case in CORPUS if case["stage"] == "dial"], ids=lambda case: str(case["n"])
)
def test_corpus_names_that_flip_pass_first_and_are_refused_then(case):
    answers = case["dns_seq"]["rebind.test"]
    check(case["url"], {"rebind.test": answers[0]})
    with pytest.raises(AddressRefused):
        check(case["url"], {"rebind.test": answers[1]})


@pytest.mark.parametrize(
    "answer",
    ["127.0.0.1", "::1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "fe80::1%eth0", "0.0.0.0", "fd00:ec2::254"],  # noqa: S104 - an answer, not a bind
)
def test_one_closed_answer_among_public_ones_refuses_the_name(answer):
    with pytest.raises(AddressRefused):
        check("https://mixed.example/", {"mixed.example": [PUBLIC, answer, "93.184.216.35"]})


def test_what_a_check_returns():
    checked = check("https://Two.example:8443/x?y", {"two.example": [PUBLIC, "2606:2800:220::1", PUBLIC]})
    assert [str(address) for address in checked.addresses] == [PUBLIC, "2606:2800:220::1"]
    assert checked.url.text == "https://two.example:8443/x?y"


# -- what users read


def test_a_private_address_is_refused_with_the_setting_that_opens_it():
    with pytest.raises(AddressRefused) as refusal:
        check("http://n8n.lan/", {"n8n.lan": ["192.168.1.7"]})
    assert refusal.value.slug == "address_refused"
    assert "n8n.lan is a private address" in refusal.value.message
    assert SETTING in refusal.value.message
    assert SETTING == "WEBHOOK_INTRANET_HOST_ALLOWLIST"
    assert (
        "192.168.1.7" not in refusal.value.message
    )  # a user must not map the server's network by guessing names
    assert refusal.value.errors == {"url": [refusal.value.message]}


def test_a_metadata_address_is_not_promised_to_open():
    with pytest.raises(AddressRefused, match=r"metadata .* stay closed"):
        check("http://169.254.169.254/")


def test_a_name_without_address_is_a_bad_request():
    with pytest.raises(NameNotResolved, match=r"nowhere\.example could not be resolved") as refusal:
        check("https://nowhere.example/")
    assert isinstance(refusal.value, Invalid)
    with pytest.raises(NameNotResolved):
        check("https://empty.example/", {"empty.example": []})


# -- the system's resolver


def test_the_system_resolver_is_asked_by_default(monkeypatch):
    asked = []

    def getaddrinfo(host, port, **options):
        asked.append((host, port))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    checked = check_url("https://Example.com./", allow_http=False, allow_list=NOTHING)
    assert asked == [("example.com", 443)]
    assert str(checked.addresses[0]) == PUBLIC


def test_localhost_through_the_real_resolver_is_refused():
    with pytest.raises(AddressRefused, match="localhost is a loopback address"):
        check_url("http://localhost/", allow_http=True, allow_list=NOTHING)


def test_a_resolver_error_is_a_name_not_resolved(monkeypatch):
    def getaddrinfo(*args, **options):
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(NameNotResolved):
        check_url("https://example.com/", allow_http=False, allow_list=NOTHING)


def test_a_resolver_that_never_answers_is_not_waited_for():
    done = threading.Event()

    def lookup(host, port):
        done.wait(10)
        return [PUBLIC]

    began = time.monotonic()
    with pytest.raises(NameNotResolved):
        check_url(
            "https://slow.example/", allow_http=False, allow_list=NOTHING, lookup=lookup, timeout_seconds=0.1
        )
    assert time.monotonic() - began < 8
    done.set()


# -- the allow-list


@pytest.mark.parametrize(
    ("url", "names", "allow"),
    [
        ("http://192.168.1.5/", {}, "192.168.1.0/24"),
        ("http://192.168.1.5/", {}, "192.168.1.5"),
        ("http://nas.lan/", {"nas.lan": ["192.168.1.7"]}, "nas.lan"),
        ("http://NAS.lan./", {"nas.lan": ["192.168.1.7"]}, "Nas.Lan."),
        ("http://nas.lan/", {"nas.lan": ["192.168.1.7"]}, "192.168.0.0/16"),
        ("http://nas.lan/", {"nas.lan": ["192.168.1.7", "fd12::7", PUBLIC]}, "other.lan, nas.lan"),
        ("http://nas.tail.example/", {"nas.tail.example": ["100.101.102.103"]}, "nas.tail.example"),
        ("http://my_n8n:5678/", {"my_n8n": ["172.18.0.5"]}, "my_n8n"),
        ("http://[fd12::7]/", {}, "fd12::/16"),
        ("http://b\xfccher.lan/", {"xn--bcher-kva.lan": ["10.1.1.1"]}, "b\xfccher.lan"),
        ("http://127.0.0.1:8080/", {}, "127.0.0.0/8"),
        ("http://localhost:8080/", {"localhost": ["127.0.0.1", "::1"]}, "localhost"),
        ("http://localhost:8080/", {"localhost": ["127.0.0.1", "::1"]}, "127.0.0.1 ::1"),
        ("http://198.18.0.9/", {}, "198.18.0.0/15"),
    ],
)
def test_listed_and_open(url, names, allow):
    assert check(url, names, allow).addresses


@pytest.mark.parametrize(
    ("url", "names", "allow"),
    [
        ("http://xnas.lan/", {"xnas.lan": ["192.168.1.7"]}, "nas.lan"),
        ("http://nas.lan.evil.example/", {"nas.lan.evil.example": ["192.168.1.7"]}, "nas.lan"),
        ("http://sub.nas.lan/", {"sub.nas.lan": ["192.168.1.7"]}, "nas.lan"),
        ("http://192.168.1.7/", {}, "nas.lan"),
        ("http://192.168.2.5/", {}, "192.168.1.0/24"),
        ("http://nas.lan/", {"nas.lan": ["192.168.1.7", "10.0.0.1"]}, "192.168.1.0/24"),
        ("http://nas.lan/", {"nas.lan": ["127.0.0.1"]}, "nas.lan"),
        ("http://nas.lan/", {"nas.lan": ["::1"]}, "nas.lan"),
        ("http://nas.lan/", {"nas.lan": ["169.254.169.254"]}, "nas.lan"),
        ("http://nas.lan/", {"nas.lan": ["100.100.100.200"]}, "nas.lan"),
        ("http://nas.lan/", {"nas.lan": ["fd00:ec2::254"]}, "nas.lan"),
        ("http://nas.lan/", {"nas.lan": ["::ffff:192.168.1.7"]}, "nas.lan, 192.168.0.0/16"),
        ("http://localhost/", {"localhost": ["169.254.169.254"]}, "localhost"),
        ("http://localhost/", {"localhost": ["127.0.0.1", "::1"]}, "127.0.0.1"),
        ("http://169.254.169.254/", {}, "169.254.169.254"),
        ("http://169.254.169.254/", {}, "0.0.0.0/0"),
        ("http://168.63.129.16/", {}, "168.63.129.16/32"),
        ("http://192.0.0.192/", {}, "192.0.0.0/24"),
        ("http://[fd00:ec2::254]/", {}, "::/0"),
        ("http://[fd20:ce::254]/", {}, "fc00::/7"),
        ("http://[64:ff9b:1::a9fe:a9fe]/", {}, "64:ff9b:1::/48"),
        ("http://[::ffff:127.0.0.1]/", {}, "127.0.0.0/8, ::/0"),
        ("http://[2002:7f00:1::]/", {}, "2002::/16"),
        ("http://0.0.0.0/", {}, "0.0.0.0/0"),
        ("http://[::]/", {}, "::/0"),
        ("http://224.0.0.1/", {}, "224.0.0.0/4"),
    ],
)
def test_not_opened(url, names, allow):
    with pytest.raises(AddressRefused):
        check(url, names, allow)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (r"^192\.168\.", "pattern"),
        (r"n8n\.lan", "pattern"),
        ("*.lan", "pattern"),
        ("n8n.lan|nas.lan", "pattern"),
        ("(nas)", "pattern"),
        ("nas.lan$", "pattern"),
        ("10.0.0.[0-9]+", "pattern"),
        ("[fd00::1]", "pattern"),
        ("192.168.1.5/24", "192.168.1.0/24"),
        ("192.168.1.0/33", "not a network"),
        ("192.168.1", "not a host name"),
        ("192.168.", "not a host name"),
        ("127.1", "not a host name"),
        ("0x7f.0.0.1", "not a host name"),
        (".lan", "not a host name"),
        ("nas..lan", "not a host name"),
        ("-", "not a host name"),
        ("http://nas.lan", "not a network"),
        ("nas.lan:5678", "port or scheme"),
        ("\uff4e\uff41\uff53.lan", "not a host name"),
    ],
)
def test_entries_that_are_neither_name_nor_network_stop_the_start(entry, reason):
    with pytest.raises(SettingsError) as refusal:
        AllowList.parse(f"good.lan, {entry}")
    assert reason in str(refusal.value)
    assert str(refusal.value).startswith(SETTING)


def test_reading_the_setting():
    allowed = AllowList.parse(" n8n.lan,10.0.0.0/8\n 192.168.1.5,, fd12::/16 ")
    assert allowed.hosts == {"n8n.lan"}
    assert [str(network) for network in allowed.networks] == ["10.0.0.0/8", "192.168.1.5/32", "fd12::/16"]
    assert AllowList.parse("") == AllowList.parse(" , ") == AllowList()
