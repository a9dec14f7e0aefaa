"""More parts of the webhook benchmark: limits of time and memory, rate limits, recovery, retention, claims."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import event, select, update

from benchmarks.webhook_app import (
    WebhookApp,
    fill,
    fill_history,
    forget_peak,
    memory_mib,
    percentile,
    sending,
    wait_until_all_is_sent,
    webhook_app,
)
from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import DeliveryStatus
from speakr.models import Delivery
from speakr.services.webhooks.deliveries import claiming
from speakr.services.webhooks.deliveries import recovery as recovering
from speakr.webhooks.rate_limiter import RateLimiter
from speakr.webhooks.slots import DeliverySlots
from tests.webhooks.dispatchers import until
from tests.webhooks.receiver import Receiver, drip, flood, hang, reply

Row = list[str]


def bounds(database: str, *, full: bool) -> list[Row]:
    """G11: no attempt takes longer than its limit."""
    limit = 5.0 if full else 2.0
    with (
        webhook_app(database, webhook_timeout_seconds=limit, webhook_max_attempts=1) as made,
        Receiver() as receiver,
    ):
        silent = socket.create_server(("127.0.0.1", 0), backlog=16)
        full_up = socket.create_server(("127.0.0.1", 0), backlog=0)
        knocks = [socket.socket() for _ in range(4)]
        for knock in knocks:
            knock.settimeout(0)
            knock.connect_ex(full_up.getsockname())
        receiver.script("/hang", hang())
        receiver.script("/status", drip(b"HTTP/1.1 2"))
        receiver.script("/head", drip(b"HTTP/1.1 200 OK\r\nX-A: "))
        names = {
            "hang": receiver.url("/hang"),
            "status drip": receiver.url("/status"),
            "header drip": receiver.url("/head"),
            "connect hole": f"http://127.0.0.1:{full_up.getsockname()[1]}/",
            "TLS stall": f"https://127.0.0.1:{silent.getsockname()[1]}/",
        }
        hooks = dict(zip(made.add_webhooks(list(names.values())), names, strict=True))
        with sending(made):
            made.emit()
            wait_until_all_is_sent(limit * 3 + 10)
        release()
        took = {hooks[row.webhook_id]: row.duration_ms or 0 for row in db.session.scalars(select(Delivery))}
        for one in (silent, full_up, *knocks):
            one.close()
    text = ", ".join(f"{name} {took[name] / 1000:.2f} s" for name in names)
    return [[f"G11 total time with a limit of {limit:g} s", text, f"<= {limit + 0.25:g} s"]]


def memory(database: str, *, full: bool) -> list[Row]:
    """G12: memory used by very large responses."""
    size = 200 if full else 50  # MiB
    bomb = gzip.compress(b"\0" * (size << 20))
    piece = b"x" * (1 << 20)
    answers = {
        "big body": flood(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size << 20), [piece] * size),
        "chunked": flood(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", [b"100000\r\n" + piece + b"\r\n"] * size
        ),
        "gzip bomb": flood(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb), [bomb]
        ),
        "big headers": flood(b"HTTP/1.1 200 OK\r\n", [b"X-A: " + b"y" * 8_000 + b"\r\n"] * 10_000),
        "early hints": flood(b"", [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100] * 1_000),
    }
    with webhook_app(database, webhook_max_attempts=1) as made, Receiver() as receiver:
        hooks = []
        for number, answer in enumerate(answers.values()):
            receiver.script(f"/{number}", answer)
            hooks += made.add_webhooks(
                [receiver.url(f"/{number}", host=f"127.0.2.{n + 1}") for n in range(13)]
            )
        warm = made.add_webhooks([receiver.url(f"/ok{n}", host=f"127.0.3.{n + 1}") for n in range(64)])
        with sending(made) as pid:
            fill(warm, 20)
            wait_until_all_is_sent()
            forget_peak(pid)
            before = memory_mib(pid)
            fill(hooks, 3)
            wait_until_all_is_sent()
            after = memory_mib(pid, "VmHWM")
    return [
        [
            "G12 growth under very large responses, 64 at once",
            f"{after - before:.1f} MiB from {before:.0f}",
            "<= 16 MiB",
        ]
    ]


def rate(database: str, *, full: bool) -> list[Row]:
    """G24: attempts in any one second."""
    rows = []
    for per_second, count in ((1, 4), (10, 60 if full else 25), (100, 1_000 if full else 250)):
        with webhook_app(database) as made, Receiver() as receiver:
            receiver.script("/hook", reply(200))
            made.add_webhooks([receiver.url("/hook")], max_per_second=per_second)
            made.emit(count)
            with sending(made):
                wait_until_all_is_sent()
            at = [one.at for one in receiver.requests()]
        most = max(sum(0 <= other - one < 1.0 for other in at) for one in at)
        text = f"at most {most} in a second, {(len(at) - 1) / (at[-1] - at[0]):.1f}/s on average"
        rows.append([f"G24 limit of {per_second}/s", text, f"<= {per_second + 1}"])
    return rows


def recovery(database: str, *, full: bool) -> list[Row]:
    """G22: recover many failures at once."""
    count = 10_000 if full else 1_000
    with webhook_app(database) as made, Receiver() as receiver:
        (hook,) = made.add_webhooks([receiver.url("/hook")])
        for _ in range(count // 500):
            made.emit(500)
        with unit_of_work() as session:
            session.execute(
                update(Delivery).values(status=DeliveryStatus.PERMANENT_FAILURE, next_attempt_at=None)
            )
        since = now() - timedelta(days=1)
        with sending(made):
            started = time.monotonic()
            first = recovering.recover(made.owner, hook, since=since)
            enqueued = time.monotonic() - started
            second = recovering.recover(made.owner, hook, since=since)
            until(lambda: len(receiver.requests()) >= count, timeout=120)
            seconds = time.monotonic() - started
            wait_until_all_is_sent()
        once = (
            len({one.headers["webhook-id"] for one in receiver.requests()})
            == len(receiver.requests())
            == count
        )
    text = f"requested in {enqueued:.1f} s, all there after {seconds:.1f} s; repeated: {second.recovered}; each once: {once}"
    return [[f"G22 {first.recovered:,} replays", text, "<= 10 s, once"]]


@contextmanager
def _statements() -> Iterator[list[float]]:
    """Yield a list of the time that each statement takes in the driver and the database."""
    took: list[float] = []
    began = [0.0]

    def before(*_: object) -> None:
        began[0] = time.perf_counter()

    def after(*_: object) -> None:
        took.append(time.perf_counter() - began[0])

    listeners = {"before_cursor_execute": before, "after_cursor_execute": after}
    for name, listener in listeners.items():
        event.listen(db.engine, name, listener)
    try:
        yield took
    finally:
        for name, listener in listeners.items():
            event.remove(db.engine, name, listener)


def _claim_times(count: int) -> dict[str, list[float]]:
    """Look for work and claim for every free slot, as a cycle does; without the commit, which waits for the disk.

    Return the times of each look, of each claim and of both, and the share of the statements in that (without the time
    in which SQLite finds rows while they are read).
    """
    found: dict[str, list[float]] = {"both": [], "statements": [], "looking": [], "claiming": []}
    for _ in range(count):
        allowance = DeliverySlots(RateLimiter(time.monotonic)).allowance()
        with unit_of_work(), _statements() as statements:
            began = time.perf_counter()
            waiting = claiming.webhooks_with_work()
            looked = time.perf_counter() - began
            shares = allowance.share(waiting, ())
            began = time.perf_counter()
            claiming.claim_due(shares.given, shares.urgent)
            claimed = time.perf_counter() - began
        for name, seconds in zip(found, (looked + claimed, sum(statements), looked, claimed), strict=True):
            found[name].append(seconds)
        with unit_of_work():
            claiming.unclaim_all()
    return found


def wait_for_history(database: str, *, full: bool) -> list[Row]:
    """G9: the claim with much history and many waiting deliveries."""
    history, queued, times = (1_000_000, 10_000, 300) if full else (50_000, 1_000, 100)
    with webhook_app(database) as made:
        hooks = made.add_webhooks([f"https://receiver{n}.example/" for n in range(100)])
        seconds = fill_history(hooks, history)
        idle = _claim_times(times)["looking"]
        fill(hooks[:10], queued)
        fill(hooks[10:], 5)
        found = {**_claim_times(times), "looking when nothing waits": idle}
    figures = "; ".join(
        f"{name} p50 {percentile(took, 0.5):.1f} ms, p99 {percentile(took, 0.99):.1f} ms"
        for name, took in found.items()
    )
    name = (
        f"G9 claiming 256, {history:,} rows of history (written in {seconds:.0f} s), 10 x {queued:,} waiting"
    )
    return [[name, figures, "p99 <= 20 ms"]]


def _latencies(made: WebhookApp, receiver: Receiver, samples: int) -> list[float]:
    took = []
    for _ in range(samples):
        receiver.forget()
        made.emit()
        committed_at = time.time()
        (came,) = receiver.wait_for(1)
        took.append(came.at - committed_at)
        time.sleep(0.02)
    return took


def _old_ones_left() -> bool:
    release()
    first = select(Delivery.created_at).order_by(Delivery.id).limit(1)
    found = db.session.scalar(first)
    release()
    return found is not None and found < now() - timedelta(days=300)


def retention(database: str, *, full: bool) -> list[Row]:
    """G25: latencies while old rows are deleted, against those before and after."""
    count, samples = (1_000_000, 1_000) if full else (20_000, 100)
    with webhook_app(database) as made, Receiver() as receiver:
        old = made.add_webhooks([f"https://old{n}.example/" for n in range(100)], enabled=False)
        made.add_webhooks([receiver.url("/hook")])
        written_in = fill_history(old, count, is_old=True)
        with sending(made, WEBHOOK_HISTORY_DAYS="36500"):
            otherwise = _latencies(made, receiver, samples)
        during: list[float] = []
        with sending(made):
            began = time.monotonic()
            while _old_ones_left():
                during += _latencies(made, receiver, 10)
            seconds = time.monotonic() - began
        with sending(made):
            otherwise += _latencies(made, receiver, samples)
    text = ", ".join(
        f"p{share * 100:.0f} {percentile(during, share):.1f} ms against {percentile(otherwise, share):.1f} "
        f"({percentile(during, share) / percentile(otherwise, share) - 1:+.0%})"
        for share in (0.5, 0.95, 0.99)
    )
    text += f"; deleted in {seconds:.0f} s, written in {written_in:.0f} s"
    return [[f"G25 latency while {count:,} rows are deleted", text, "+-10 %"]]
