"""The guarded client against real sockets: what may not be reached must never see a connection."""

import asyncio
import gzip
import socket
import threading
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from speakr.egress import AddressRefused, AllowList, NameNotResolved, check_url, parse_url
from speakr.egress.client import GuardedResolver, make_client_session, post
from speakr.egress.guard import name_not_resolved

PUBLIC = "93.184.216.34"
LOOPBACK = AllowList.parse("127.0.0.1")
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


class Receiver:
    """An HTTP server of a few lines that remembers requests and counts connections."""

    def __init__(self, reply=OK):
        self.reply = reply
        self.connections = 0
        self.requests = []
        self.port = 0

    async def __call__(self, reader, writer):
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            self.requests.append((head.decode("latin-1"), await reader.readexactly(length)))
            writer.write(self.reply)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(reply=OK, host="127.0.0.1"):
    receiver = Receiver(reply)
    server = await asyncio.start_server(receiver, host, 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


class FixedResolver(AbstractResolver):
    """A resolver that checks nothing: what is left is the check at connect."""

    def __init__(self, *addresses):
        self.addresses = addresses

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in self.addresses
        ]

    async def close(self):
        pass


def answering(*addresses):
    return lambda _host, _port: list(addresses)


async def send(url, allow_list, resolver=None, body=b"{}", **headers):
    async with (
        make_client_session(allow_list, total_seconds=5, resolver=resolver) as session,
        post(session, parse_url(url, allow_http=True), body=body, headers=headers) as response,
    ):
        return response.status, await response.read()


def test_a_listed_address_is_reached_and_gets_exactly_what_was_given():
    async def scenario():
        async with listening() as receiver:
            answer = await send(
                f"http://127.0.0.1:{receiver.port}/a%2Fb?c=%2F", LOOPBACK, body=b"\x00body", Speakr_Event="x"
            )
            return answer, receiver

    (status, body), receiver = asyncio.run(scenario())
    head, sent = receiver.requests[0]
    assert (status, body, sent) == (200, b"ok", b"\x00body")
    assert head.startswith("POST /a%2Fb?c=%2F HTTP/1.1\r\n")
    assert "Speakr_Event: x" in head
    lines = head.lower()
    assert not any(name in lines for name in ("cookie:", "authorization:", "referer:", "gzip", "deflate"))


def test_a_name_that_turns_to_loopback_after_saving_gets_no_connection():
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    def lookup(host, port):
        return next(answers)

    async def scenario():
        async with listening() as canary:
            url = f"http://rebind.example:{canary.port}/"
            check_url(url, allow_http=True, allow_list=AllowList(), lookup=lookup)
            with pytest.raises(AddressRefused, match=r"rebind\.example is a loopback address"):
                await send(url, AllowList(), GuardedResolver(AllowList(), lookup=lookup))
            return canary.connections

    assert asyncio.run(scenario()) == 0


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("::1", "127.0.0.1"), ("127.0.0.1", "127.0.0.2")])
def test_the_check_at_connect_holds_when_the_resolver_is_fooled(addresses):
    async def scenario():
        async with listening() as canary:
            with pytest.raises(AddressRefused, match="loopback"):
                await send(f"http://fooled.example:{canary.port}/", AllowList(), FixedResolver(*addresses))
            return canary.connections

    assert asyncio.run(scenario()) == 0


def test_a_private_fallback_address_is_not_reached_when_the_first_one_fails():
    async def scenario():
        async with listening() as canary:
            # No server listens at 127.0.0.3, which may be called; the next address, the canary's, may not.
            allowed, both = AllowList.parse("127.0.0.3"), FixedResolver("127.0.0.3", "127.0.0.1")
            with pytest.raises(AddressRefused):
                await send(f"http://fallback.example:{canary.port}/", allowed, both)
            return canary.connections

    assert asyncio.run(scenario()) == 0


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",  # noqa: S104 - a target, not a bind
    ],
)
def test_literals_skip_the_resolver_and_are_refused_at_connect(host):
    async def scenario():
        async with listening() as canary:
            with pytest.raises(AddressRefused):
                await send(f"http://{host}:{canary.port}/", AllowList())
            return canary.connections

    assert asyncio.run(scenario()) == 0


@pytest.mark.parametrize("text", ["http://127.1:{}/", "http://2130706433:{}/", "http://0x7f.0.0.1:{}/"])
def test_sloppy_literals_that_never_met_our_parser_are_refused_too(text):
    async def scenario():
        async with listening() as canary, make_client_session(AllowList(), total_seconds=5) as session:
            with pytest.raises((AddressRefused, aiohttp.InvalidURL, NameNotResolved)):
                await session.post(text.format(canary.port), data=b"{}")
            return canary.connections

    assert asyncio.run(scenario()) == 0


def test_a_listed_name_is_reached_and_its_address_stays_closed_to_other_names():
    allowed = AllowList.parse("localhost")

    async def scenario():
        async with listening() as receiver:
            resolver = GuardedResolver(allowed, lookup=answering("127.0.0.1"))
            status, _ = await send(f"http://LOCALHOST.:{receiver.port}/", allowed, resolver)
            for closed in ("other.example", "127.0.0.1"):
                with pytest.raises(AddressRefused):
                    await send(f"http://{closed}:{receiver.port}/", allowed, FixedResolver("127.0.0.1"))
            return status, receiver.connections

    assert asyncio.run(scenario()) == (200, 1)


def test_a_listed_name_that_leads_to_metadata_is_refused():
    allowed = AllowList.parse("nas.lan, 169.254.0.0/16")

    async def scenario():
        guarded = GuardedResolver(allowed, lookup=answering("169.254.169.254"))
        for resolver in (guarded, FixedResolver("169.254.169.254")):
            with pytest.raises(AddressRefused, match="stay closed"):
                await send("http://nas.lan/", allowed, resolver)

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_returned_and_not_followed(status):
    async def scenario():
        async with listening() as canary:
            target = f"http://127.0.0.1:{canary.port}/"
            redirect = f"HTTP/1.1 {status} Moved\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
            async with listening(redirect) as receiver:
                answer = await send(f"http://127.0.0.1:{receiver.port}/", LOOPBACK)
            return answer[0], canary.connections

    assert asyncio.run(scenario()) == (status, 0)


def test_even_a_followed_redirect_does_not_reach_a_closed_address():
    async def scenario():
        async with listening(host="127.0.0.2") as canary:
            redirect = f"HTTP/1.1 302 Moved\r\nLocation: http://127.0.0.2:{canary.port}/\r\nContent-Length: 0\r\n\r\n"
            async with (
                listening(redirect.encode()) as receiver,
                make_client_session(LOOPBACK, total_seconds=5) as session,
            ):
                with pytest.raises(AddressRefused):
                    await session.post(f"http://127.0.0.1:{receiver.port}/", data=b"{}")
            return canary.connections

    assert asyncio.run(scenario()) == 0


def test_nothing_of_one_request_is_left_for_the_next(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    cookie = (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nSet-Cookie: who=me; Path=/\r\nContent-Length: 0\r\n\r\n"
    )

    async def scenario():
        async with listening(cookie) as receiver, make_client_session(LOOPBACK, total_seconds=5) as session:
            url = parse_url(f"http://127.0.0.1:{receiver.port}/", allow_http=True)
            for _ in range(2):
                async with post(session, url, body=b"{}", headers={}) as response:
                    assert response.status == 200
            return receiver.requests

    requests = asyncio.run(scenario())
    assert len(requests) == 2
    assert "who=me" not in requests[1][0]


def test_a_compressed_reply_is_not_unpacked():
    packed = gzip.compress(bytes(1_000_000))
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed

    async def scenario():
        async with listening(reply) as receiver:
            return await send(f"http://127.0.0.1:{receiver.port}/", LOOPBACK)

    assert asyncio.run(scenario())[1] == packed


def test_the_total_time_is_kept_to_the_fraction_of_a_second():
    """A drip of one byte at a time does not prolong it, and no rounding up to whole seconds."""

    async def drip(reader, writer):
        try:
            while True:
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def scenario():
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        async with server, make_client_session(LOOPBACK, total_seconds=0.3) as session:
            assert session.timeout.ceil_threshold == float("inf")
            url = parse_url(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", allow_http=True)
            began = time.monotonic()
            with pytest.raises((TimeoutError, aiohttp.ClientError)):
                async with post(session, url, body=b"{}", headers={}):
                    pass
            return time.monotonic() - began

    assert asyncio.run(scenario()) < 0.3 + 0.25


# -- the resolver


def test_resolved_addresses_keep_their_order_and_family():
    async def scenario():
        resolver = GuardedResolver(AllowList(), lookup=answering("2606:2800:220::1", PUBLIC, PUBLIC))
        return await resolver.resolve("two.example", 443)

    found = asyncio.run(scenario())
    assert [(entry["host"], entry["port"], entry["family"]) for entry in found] == [
        ("2606:2800:220::1", 443, socket.AF_INET6),
        (PUBLIC, 443, socket.AF_INET),
    ]


def test_a_name_without_address_is_a_network_error_of_its_own_kind():
    def lookup(host, port):
        raise name_not_resolved(host)

    async def scenario():
        with pytest.raises(NameNotResolved, match=r"gone\.example"):
            await send("http://gone.example/", AllowList(), GuardedResolver(AllowList(), lookup=lookup))

    asyncio.run(scenario())


def test_names_that_never_resolve_are_asked_once_and_delay_no_other():
    release = threading.Event()
    asked = []

    def lookup(host, port):
        asked.append(host)
        if host.startswith("hole"):
            release.wait(10)
        return [PUBLIC]

    async def scenario():
        resolver = GuardedResolver(AllowList(), lookup=lookup, timeout_seconds=0.2)
        holes = [asyncio.create_task(resolver.resolve(f"hole{n % 20}.example", 443)) for n in range(60)]
        await asyncio.sleep(0)
        began = time.monotonic()
        await resolver.resolve("fine.example", 443)
        quick = time.monotonic() - began
        outcomes = await asyncio.gather(*holes, return_exceptions=True)
        release.set()
        await resolver.close()
        return quick, outcomes

    quick, outcomes = asyncio.run(scenario())
    assert quick < 0.15
    assert {type(outcome) for outcome in outcomes} == {NameNotResolved}
    assert sorted(asked) == sorted([f"hole{n}.example" for n in range(20)] + ["fine.example"])


def test_a_look_up_that_fails_without_waiters_is_not_logged():
    fail = threading.Event()
    complaints = []

    def lookup(host, port):
        fail.wait(10)
        raise name_not_resolved(host)

    async def scenario():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        resolver = GuardedResolver(AllowList(), lookup=lookup, timeout_seconds=0.01)
        with pytest.raises(NameNotResolved):
            await resolver.resolve("late.example", 443)
        fail.set()
        await asyncio.sleep(0.05)

    asyncio.run(scenario())
    assert complaints == []
