"""Webhook deliveries: throughput, latency, and the effect of crashes.

python -m benchmarks.webhooks [--database sqlite|postgresql|both] [--only throughput,latency,...] [--full]

Without --full the sizes are small enough for a minute or two each; with it they are those of the goals. Every part
starts an empty server, dispatchers in separate processes and receivers on 127.0.0.0/8. Latency is measured on one
clock, from the commit of the event until the receiver has read the request.

`kills` starts API servers and workers and takes nine minutes with --full, `retention` eight; `disk` needs permission to
mount a file system.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import func, select

from benchmarks.stack import machine, print_table
from benchmarks.webhook_app import (
    SOME_EVENT,
    WebhookApp,
    attempts_spent,
    fill,
    percentile,
    processor_seconds,
    receiver_process,
    sending,
    wait_until_all_is_sent,
    webhook_app,
)
from benchmarks.webhook_faults import disk, outages, signatures, tls
from benchmarks.webhook_kills import kills
from benchmarks.webhook_parts import bounds, memory, rate, recovery, retention, wait_for_history
from speakr.db import db, unit_of_work
from speakr.models import Delivery, Event
from speakr.services.webhooks import events
from speakr.webhooks.retry_schedule import pause_before
from speakr.webhooks.slots import PER_WEBHOOK, TOTAL
from tests.webhooks.receiver import Answer, Receiver, drip, hang, reply

Row = list[str]

SETTLING_SECONDS = 2.0
"""Seconds before measuring beside bad receivers: the first claims of a dispatcher are slower, until plans are cached."""


def throughput(database: str, *, full: bool) -> list[Row]:
    """G6, G7: many deliveries at once, to receivers that answer at once or after 100 ms."""
    rows = []
    for delay, goal in ((0.0, ">= 3,000/s PostgreSQL, 2,500/s SQLite; <= 0.35 CPU-ms"), (0.1, ">= 1,800/s")):
        with webhook_app(database) as made, receiver_process(delay) as port:
            hooks = made.add_webhooks([f"http://127.0.0.{n + 1}:{port}/hook" for n in range(100)])
            with sending(made) as pid:
                fill(hooks, 5)
                wait_until_all_is_sent()  # connections are open
                cpu = processor_seconds(pid)
                total = fill(hooks, 200 if full else 50)
                started = time.monotonic()
                wait_until_all_is_sent()
                seconds, cpu = time.monotonic() - started, processor_seconds(pid) - cpu
        text = f"{total / seconds:,.0f}/s, {cpu / total * 1000:.2f} CPU-ms each, {total:,} deliveries"
        rows.append([f"G6/G7 throughput, 100 webhooks of {delay * 1000:.0f} ms", text, goal])
    return rows


def _latencies(made: WebhookApp, receiver: Receiver, count: int) -> list[float]:
    took = []
    for number in range(count):
        made.emit()
        committed_at = time.time()
        took.append(receiver.wait_for(number + 1)[-1].at - committed_at)
        time.sleep(0.02 + (number % 7) / 100)
    return took


def latency(database: str, *, full: bool) -> list[Row]:
    """G10: from the commit to the arrival, without other work."""
    rows = []
    for has_redis, goal in ((True, "p50 <= 30 ms, p99 <= 150 ms"), (False, "<= 1.2 s")):
        with webhook_app(database) as made, Receiver() as receiver:
            made.add_webhooks([receiver.url("/hook")])
            with sending(made):
                if not has_redis:
                    made.redis.kill(with_data=True)
                took = _latencies(made, receiver, (300 if full else 60) if has_redis else 15)
        text = f"p50 {percentile(took, 0.5):.0f} ms, p99 {percentile(took, 0.99):.0f} ms, worst {max(took) * 1000:.0f} ms"
        rows.append([f"G10 commit to arrival, idle, {'with' if has_redis else 'without'} Redis", text, goal])
    return rows


def _watch(database: str, answers: dict[int, Answer], queued: int, seconds: int) -> list[float]:
    """Send two events a second to 100 webhooks, some of them bad; return the latencies of the good ones."""
    with webhook_app(database) as made, Receiver() as receiver:
        for number, answer in answers.items():
            receiver.script(f"/{number}", answer)
        hooks = made.add_webhooks([receiver.url(f"/{n}", host=f"127.0.0.{n + 1}") for n in range(100)])
        fill(hooks[: len(answers)], queued)
        with sending(made):
            time.sleep(SETTLING_SECONDS)
            committed: dict[str, float] = {}
            for _ in range(seconds * 2):
                (uuid,) = made.emit()
                committed[uuid] = time.time()
                time.sleep(0.5)
            time.sleep(1.0)
        good = {f"/{number}" for number in range(len(answers), 100)}
        return [
            one.at - committed[one.headers["webhook-id"]] for one in receiver.requests() if one.path in good
        ]


def isolation(database: str, *, full: bool) -> list[Row]:
    """G8, G9: the effect of bad receivers on the others."""
    seconds, queued, rounds = (20, 10_000, 3) if full else (6, 500, 2)
    endless = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
    scenes: dict[str, tuple[dict[int, Answer], int]] = {
        "alone": ({}, 0),
        "G8 1 black hole of 100": ({0: hang()}, 0),
        f"G9 10 black holes and 10 drips with {queued:,} queued each": (
            {n: hang() if n < 10 else endless for n in range(20)},
            queued,
        ),
    }
    found: dict[str, list[float]] = {name: [] for name in scenes}
    for _ in range(rounds):  # in turn, because the load of the machine varies
        for name, (answers, each) in scenes.items():
            found[name].append(percentile(_watch(database, answers, each, seconds), 0.99))
    alone = statistics.median(found.pop("alone"))
    rows = []
    for (name, p99s), goal in zip(found.items(), (1.10, 1.25), strict=True):
        beside = statistics.median(p99s)
        figures = f"p99 {beside:.0f} ms against {alone:.0f} ms: {beside / alone:.2f}x"
        rows.append([f"{name}, the others", figures, f"<= {goal:.2f}x"])
    return rows


def crash(database: str, *, full: bool) -> list[Row]:
    """G2: kill -9 the dispatcher repeatedly."""
    kills, count, hooks = (50, 10_000, 20) if full else (5, 1_000, 10)
    rng = random.Random(1)
    with webhook_app(database) as made, Receiver() as receiver:
        receiver.script_all(reply(200, after=0.02))
        made.add_webhooks([receiver.url(f"/{n}", host=f"127.0.1.{n + 1}") for n in range(hooks)])
        wanted = made.emit(count // hooks)
        resumed = []
        for _ in range(kills):
            process = made.dispatcher()
            began, before = time.time(), len(receiver.requests())
            receiver.wait_for(min(before + 1, count), timeout=20)
            resumed.append(receiver.requests()[min(before, len(receiver.requests()) - 1)].at - began)
            time.sleep(rng.uniform(0.0, 0.15))
            process.kill()
        with sending(made):
            wait_until_all_is_sent()
        bodies: dict[tuple[str, str], set[bytes]] = {}
        for one in receiver.requests():
            bodies.setdefault((one.path, one.headers["webhook-id"]), set()).add(one.body)
        lost = len(wanted) * hooks - len(bodies)
        repeated = len(receiver.requests()) - len(bodies)
        changed = sum(len(found) > 1 for found in bodies.values())
        spent = attempts_spent()
    return [
        [f"G2 {kills} kills in {count:,} deliveries: lost / changed / attempts spent", f"{lost} / {changed} / {spent}", "0 / 0 / 0"],
        ["G2 sent again", str(repeated), f"<= {kills} x {min(TOTAL, hooks * PER_WEBHOOK)}"],
        ["G2 first request after a new start, worst", f"{max(resumed):.2f} s", "<= 2 s"],
    ]  # fmt: skip


def outbox(database: str, *, full: bool) -> list[Row]:
    """G1: failed transactions leave no row, the others leave all."""
    attempts = 2_000 if full else 300
    rng = random.Random(2)
    kept = 0
    with webhook_app(database) as made:
        made.add_webhooks(["https://receiver.example/hook"] * 3)
        for _ in range(attempts):
            with suppress(InterruptedError), unit_of_work():
                events.record(made.owner.user_id, SOME_EVENT)
                if rng.random() < 0.5:
                    raise InterruptedError
                kept += 1
        event_count = db.session.scalar(select(func.count()).select_from(Event)) or 0
        rows = db.session.scalar(select(func.count()).select_from(Delivery)) or 0
    text = f"{event_count} events, {rows} deliveries"
    return [[f"G1 {attempts} transactions, {kept} committed", text, f"{kept} and {3 * kept}"]]


def redis(database: str, *, full: bool) -> list[Row]:
    """G3: Redis is killed, emptied and absent while events occur."""
    count = 5_000 if full else 400
    with webhook_app(database) as made, Receiver() as receiver:
        made.add_webhooks([receiver.url("/hook")])
        committed: dict[str, float] = {}
        with sending(made):
            for number in range(count):
                if number % (count // 4) == count // 8:
                    made.redis.kill(with_data=True)
                elif number % (count // 4) == count // 4 - 1:
                    made.redis.start()
                (uuid,) = made.emit()
                committed[uuid] = time.time()
                time.sleep(0.002)
            wait_until_all_is_sent()
        took = [one.at - committed[one.headers["webhook-id"]] for one in receiver.requests()]
    text = f"{count - len(took)} lost, worst {max(took):.2f} s"
    return [[f"G3 {count:,} events, Redis killed and emptied 4 times", text, "0 lost, <= 1 s later"]]


def two(database: str, *, full: bool) -> list[Row]:
    """G5: two dispatchers by mistake."""
    with webhook_app(database) as made, Receiver() as receiver:
        made.add_webhooks([receiver.url("/hook")])
        with sending(made), sending(made):
            wanted = [uuid for _ in range(20) for uuid in made.emit(50 if full else 10)]
            wait_until_all_is_sent()
        extra = len(receiver.requests()) - len(wanted)
    return [["G5 two dispatchers: extra requests", str(extra), "0"]]


def jitter(_database: str, *, full: bool) -> list[Row]:  # noqa: ARG001 - quick enough as it is
    """G19: the spread of 10,000 retries."""
    rng = random.Random(3)
    count = 10_000
    buckets = Counter(int(pause_before(2, dice=rng.random)) for _ in range(count))
    share = max(buckets.values()) / count
    return [["G19 fullest second of the 30 s retry of 10,000", f"{share:.1%}", "<= 12 %"]]


def order(database: str, *, full: bool) -> list[Row]:
    """G23: in order, with 20 % failures."""
    count = 10_000 if full else 300
    rng = random.Random(4)
    with (
        webhook_app(database, webhook_max_attempts=1, webhook_autopause_failures=10**6) as made,
        Receiver() as receiver,
    ):
        receiver.script(
            "/hook", *[reply(500 if rng.random() < 0.2 else 200) for _ in range(count)], reply(200)
        )
        made.add_webhooks([receiver.url("/hook")], is_ordered=True)
        made.add_webhooks([receiver.url("/other")])
        wanted = [uuid for _ in range(count // 100) for uuid in made.emit(100)]
        with sending(made, WEBHOOK_AUTOPAUSE_FAILURES="1000000"):
            started = time.monotonic()
            wait_until_all_is_sent()
            seconds = time.monotonic() - started
        places = {uuid: place for place, uuid in enumerate(wanted)}
        got = [places[one.headers["webhook-id"]] for one in receiver.requests("/hook")]
        inversions = sum(a > b for a, b in itertools.pairwise(got))
        others = receiver.requests("/other")[-1].at - receiver.requests("/other")[0].at
    text = f"{inversions} inversions of {len(got):,}, {len(got) / seconds:.0f}/s; the other webhook had all in {others:.1f} s"
    return [[f"G23 in order, {count:,} with 20 % failures", text, "0"]]


PARTS: dict[str, Callable[..., list[Row]]] = {
    "throughput": throughput, "latency": latency, "isolation": isolation, "history": wait_for_history,
    "crash": crash, "outbox": outbox, "redis": redis, "two": two, "bounds": bounds, "memory": memory,
    "jitter": jitter, "recovery": recovery, "order": order, "rate": rate, "retention": retention,
    "kills": kills, "outages": outages, "disk": disk, "tls": tls, "signatures": signatures,
}  # fmt: skip


def main() -> None:
    """Run the requested parts and print a table for each database."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    options.add_argument("--only", default=",".join(PARTS), help="some of: " + ", ".join(PARTS))
    options.add_argument("--full", action="store_true", help="the sizes of the goals")
    asked = options.parse_args()
    wanted = asked.only.split(",")
    unknown = set(wanted) - set(PARTS)
    if unknown:
        options.error(f"no such part: {', '.join(sorted(unknown))}")
    databases = ["sqlite", "postgresql"] if asked.database == "both" else [asked.database]
    for database in databases:
        rows: list[Row] = []
        for name in wanted:
            found = PARTS[name](database, full=asked.full)
            rows += found
            for what, measured, _ in found:  # a later part may fail
                print(f"{database}: {what}: {measured}", flush=True)
        print_table(f"{machine()}; {database}", ["what", "measured", "goal"], rows)


if __name__ == "__main__":
    main()
