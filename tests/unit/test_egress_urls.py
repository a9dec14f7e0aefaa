"""Reading addresses: what is refused, what is accepted and how it is written out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from speakr.domain.errors import Invalid
from speakr.egress import parse_url

REFUSED = {
    "octal": "https://0177.0.0.1/",
    "one number": "https://2130706433/",
    "public as one number": "https://1572395042/",
    "hex": "https://0x5db8d822/",
    "upper-case hex": "https://0X7F.0.0.1/",
    "mixed bases": "https://0x7f.0.0.01/",
    "empty hex": "https://0x/",
    "three parts": "https://127.0.1/",
    "five parts": "https://127.0.0.0.1/",
    "too large": "https://256.0.0.1/",
    "leading zero": "https://127.0.0.01/",
    "hex at the end": "https://example.0x7f/",
    "number at the end": "https://example.com.1/",
    "two root dots": "https://example.com../",
    "dot alone": "https://./",
    "empty label": "https://a..b/",
    "leading dot": "https://.example.com/",
    "no host": "https:///hook",
    "no host, port": "https://:443/hook",
    "three slashes": "https:////example.com/hook",
    "one slash": "https:/example.com/hook",
    "scheme alone": "https:",
    "no scheme": "//example.com/hook",
    "empty": "",
    "a word": "example.com/hook",
    "file": "file:///etc/passwd",
    "javascript": "javascript:alert(1)",
    "data": "data:text/plain,x",
    "redis": "redis://example.com/",
    "dotted scheme": "https.://example.com/",
    "user": "https://user@example.com/",
    "user and password": "https://user:secret@example.com/",
    "empty user": "https://@example.com/",
    "at sign encoded": "https://example.com%40127.0.0.1/",
    "percent in host": "https://%6c%6f%63alhost/",
    "backslash for a slash": "https:\\\\example.com\\hook",
    "backslash before at": "https://example.com\\@127.0.0.1/",
    "fragment": "https://example.com/hook#part",
    "empty fragment": "https://example.com/hook#",
    "tab": "https://exam\tple.com/",
    "newline at the end": "https://example.com/hook\n",
    "carriage return": "https://example.com/\rhook",
    "delete": "https://example.com/\x7f",
    "next line": "https://example.com/\x85",
    "no-break space": "https://example.com/\xa0",
    "line separator": "https://example.com/\u2028",
    "lone surrogate": "https://example.com/\ud800",
    "empty port": "https://example.com:/hook",
    "signed port": "https://example.com:+443/",
    "padded port": "https://example.com:0443/",
    "fullwidth port": "https://example.com:\uff14\uff14\uff13/",
    "named port": "https://example.com:https/",
    "float port": "https://example.com:443.0/",
    "huge port": "https://example.com:99999999999999999999/",
    "smtp": "https://example.com:25/",
    "ssh": "https://example.com:22/",
    "smb": "https://example.com:445/",
    "redis port": "https://example.com:6379/",
    "postgres": "https://example.com:5432/",
    "mongo": "https://example.com:27017/",
    "docker": "https://example.com:2375/",
    "zone id": "https://[fe80::1%25eth0]/",
    "bare zone id": "https://[fe80::1%eth0]/",
    "future address": "https://[v1.fe80::a]/",
    "ipv4 in brackets": "https://[127.0.0.1]/",
    "name in brackets": "https://[localhost]/",
    "brackets open": "https://[::1/",
    "brackets close": "https://::1]/",
    "no brackets": "https://::1/",
    "after the bracket": "https://[::1]a/",
    "empty brackets": "https://[]/",
    "fullwidth digits": "https://\uff11\uff12\uff17.0.0.1/",
    "circled digits": "https://\u2460\u2461\u2466.0.0.1/",
    "fullwidth letters": "https://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54/",
    "soft hyphen": "https://local\xadhost/",
    "zero width": "https://local\u200bhost/",
    "kelvin sign": "https://\u212aube.example.com/",
    "fullwidth slash": "https://example.com\uff0f@127.0.0.1/",
    "combining mark first": "https://\u0301a.example.com/",
    "hyphen first": "https://-example.com/",
    "hyphen last": "https://example-.com/",
    "star": "https://*.example.com/",
    "comma": "https://example.com,example.org/",
    "name over 253": "https://" + "a." * 126 + "com/",
    "too long": "https://example.com/" + "a" * 2048,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_refused(text):
    with pytest.raises(Invalid) as refusal:
        parse_url(text, allow_http=True)
    assert refusal.value.slug == "invalid_url"
    assert refusal.value.message.startswith(("The ", "Port "))
    assert refusal.value.errors == {"url": [refusal.value.message]}


WRITTEN = {
    "https://example.com": "https://example.com/",
    "HTTPS://EXAMPLE.com:443/Hook": "https://example.com/Hook",
    "https://example.com.:8443/Hook?a=1": "https://example.com:8443/Hook?a=1",
    "https://example.com/?": "https://example.com/",
    "https://example.com/?a=b?": "https://example.com/?a=b?",
    "https://example.com?a=1": "https://example.com/?a=1",
    "http://example.com:80/": "http://example.com/",
    "http://example.com:443/": "http://example.com:443/",
    "https://b\xfccher.example/": "https://xn--bcher-kva.example/",
    "https://B\xdcCHER.example./": "https://xn--bcher-kva.example/",
    "https://stra\xdfe.example/": "https://xn--strae-oqa.example/",
    "https://\u65e5\u672c\u8a9e\u3002jp/": "https://xn--wgv71a119e.jp/",
    "https://xn--bcher-kva.example/": "https://xn--bcher-kva.example/",
    "https://my_service:5678/": "https://my_service:5678/",
    "https://8.8.8.8./": "https://8.8.8.8/",
    "https://[2606:2800:0220::1]/": "https://[2606:2800:220::1]/",
    "https://[2606:2800:220::1]:8443/": "https://[2606:2800:220::1]:8443/",
    "https://example.com/a%2Fb%20c?d=%2f&e[0]=100%": "https://example.com/a%2Fb%20c?d=%2f&e[0]=100%25",
    "https://example.com/../a/./b;c=d,e": "https://example.com/../a/./b;c=d,e",
    'https://example.com/"<\u00e9>?q=\U0001f600': "https://example.com/%22%3C%C3%A9%3E?q=%F0%9F%98%80",
}


@pytest.mark.parametrize(("typed", "written"), WRITTEN.items())
def test_written_out_in_one_form(typed, written):
    url = parse_url(typed, allow_http=True)
    assert url.text == written
    assert parse_url(url.text, allow_http=True) == url  # and that form is a fixed point


def test_parts():
    url = parse_url("http://Example.com.:8080/x", allow_http=True)
    assert (url.scheme, url.host, url.port, url.literal) == ("http", "example.com", 8080, None)
    literal = parse_url("https://[2606:2800:220::1]/", allow_http=False)
    assert str(literal.literal) == literal.host == "2606:2800:220::1"
    assert literal.port == 443


def test_http_must_be_allowed():
    with pytest.raises(Invalid, match="allow_http"):
        parse_url("http://example.com/", allow_http=False)


@pytest.mark.parametrize("port", [1024, 3000, 4433, 5678, 8000, 8080, 8443, 9000, 9443, 65535])
def test_ordinary_ports_pass(port):
    assert parse_url(f"https://example.com:{port}/", allow_http=False).port == port


_PIECES = [
    "http",
    "https",
    ":",
    "/",
    "//",
    "@",
    "\\",
    "#",
    "?",
    "[",
    "]",
    "::1",
    "127.0.0.1",
    "localhost",
    "%",
    ".",
]


@given(st.lists(st.sampled_from(_PIECES) | st.characters(), max_size=12).map("".join))
def test_what_passes_means_the_same_host_to_the_client(tail):
    """Whatever is accepted, the library that sends it sees the host and port that were judged."""
    try:
        url = parse_url("http://" + tail, allow_http=True)
    except Invalid:
        return
    sent = URL(url.text, encoded=True)
    assert (sent.raw_host, sent.port, sent.scheme) == (url.host, url.port, url.scheme)
    assert sent.raw_user is None
    assert url.text.isascii()
    assert url.text.isprintable()
    assert str(sent) == url.text
