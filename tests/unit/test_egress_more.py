"""The guard against a second corpus: forms of addresses that are not in the first one. Every name resolves to a public address."""

import json
from pathlib import Path

import pytest

from speakr.domain.errors import Invalid
from speakr.egress import AddressRefused, AllowList, check_url

CORPUS = json.loads((Path(__file__).parent / "ssrf_corpus_more.json").read_text(encoding="utf-8"))
PUBLIC = "93.184.216.34"


def check(url, allow="", answer=PUBLIC):
    return check_url(
        url, allow_http=True, allow_list=AllowList.parse(allow), lookup=lambda _host, _port: [answer]
    )


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: ascii(case["url"]))
def test_corpus(case):
    if case["expect"] == "allow":
        assert check(case["url"]).addresses
    else:
        with pytest.raises(Invalid):
            check(case["url"])


@pytest.mark.parametrize("name", ["metadata.google.internal", "instance-data"])
def test_metadata_names_do_not_open(name):
    with pytest.raises(AddressRefused, match="metadata address"):
        check(f"http://{name}/", allow=name)


def test_localhost_means_loopback_also_when_it_is_listed():
    assert check("http://localhost/", allow="localhost", answer="127.0.0.1").addresses
    with pytest.raises(AddressRefused, match="loopback"):
        check("http://localhost/", allow="localhost")
