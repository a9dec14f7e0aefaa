"""Measure a dispatcher in a process of its own, on a throw-away database and Redis.

python -m tests.webhooks.measure throughput --database sqlite --webhooks 100 --each 200 --delay 0
python -m tests.webhooks.measure latency --each 300
python -m tests.webhooks.measure isolation --holes 10 --drips 10
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import exists, insert, select

from speakr.app import create_app
from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import DUE_STATUSES, DeliveryStatus
from speakr.domain.events import EventType, RecordingUpdated
from speakr.models import Delivery, Webhook
from speakr.schema import upgrade
from speakr.services import events, users
from speakr.services.sealing import seal
from speakr.settings import Settings
from tests.servers import postgres_server, redis_server
from tests.webhooks.dispatchers import DispatcherProcess
from tests.webhooks.receiver import Receiver, drip, hang

_TICKS = os.sysconf("SC_CLK_TCK")
_SOME_EVENT = RecordingUpdated(recording_id=1, title="A title", fields_changed=("title",))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int, which: str = "VmRSS") -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(which + ":"))


@contextmanager
def house(database: str) -> Iterator[Settings]:
    """An app on an empty database, in its context."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spk-m-")))
        url = f"sqlite:///{folder / 'speakr.db'}"
        if database == "postgresql":
            url = stack.enter_context(postgres_server())
        upgrade(url)
        settings = Settings(
            secret_key="k" * 40,
            data_dir=folder,
            database_url=url,
            redis_url=stack.enter_context(redis_server()).url,
            webhook_allowed_hosts="127.0.0.0/8",
            log_level="WARNING",
        )
        app = create_app(settings)
        stack.enter_context(app.app_context())
        stack.callback(db.engine.dispose)
        stack.callback(db.session.remove)
        yield settings


@contextmanager
def dispatcher(settings: Settings) -> Iterator[int]:
    """A running dispatcher; yields its process id."""
    process = DispatcherProcess(settings, settings.data_dir / "dispatcher.log")
    process.start()
    assert process.process is not None
    try:
        yield process.process.pid
    finally:
        process.stop()
        complaints = [line for line in process.said().splitlines() if "[info" not in line]
        say("\n".join(complaints)) if complaints else None


@contextmanager
def receiver_process(delay: float) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.webhooks.receiver", str(delay)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def add_webhooks(urls: list[str]) -> tuple[int, list[int]]:
    with unit_of_work() as session:
        owner = users.create(username="owner")
        names = [event.value for event in EventType]
        hooks = [
            Webhook(
                user_id=owner.id,
                name="x",
                url=url,
                allow_http=True,
                events=names,
                secret_sealed=seal("s" * 43),
            )
            for url in urls
        ]
        session.add_all(hooks)
        session.flush()
        return owner.id, [hook.id for hook in hooks]


def fill(hook_ids: list[int], each: int) -> int:
    """Queue so many deliveries for each webhook, of some 400 bytes."""
    moment = now()
    rows = [
        {
            "webhook_id": hook_id,
            "event_uuid": f"00000000-0000-4000-8000-{number:012d}",
            "event_type": EventType.RECORDING_UPDATED,
            "body": '{"data":"' + "x" * 390 + '"}',
            "next_attempt_at": moment,
            "created_at": moment,
            "status": DeliveryStatus.PENDING,
            "attempt_count": 0,
        }
        for number in range(each)
        for hook_id in hook_ids
    ]
    with unit_of_work() as session:
        session.execute(insert(Delivery), rows)
    return len(rows)


def wait_until_all_is_sent() -> None:
    open_ones = select(exists().where(Delivery.status.in_(DUE_STATUSES)))
    while True:
        release()
        if not db.session.scalar(open_ones):
            return
        release()
        time.sleep(0.1)


def throughput(arguments: argparse.Namespace) -> None:
    with house(arguments.database) as settings, receiver_process(arguments.delay) as (receiver, port):
        _, hook_ids = add_webhooks([f"http://127.0.0.{n + 1}:{port}/hook" for n in range(arguments.webhooks)])
        with dispatcher(settings) as pid:
            time.sleep(0.5)
            cpu, idle = processor_seconds(pid), memory_mb(pid)
            total = fill(hook_ids, arguments.each)
            started = time.monotonic()
            wait_until_all_is_sent()
            seconds, cpu = time.monotonic() - started, processor_seconds(pid) - cpu
            assert receiver.stdin is not None
            assert receiver.stdout is not None
            receiver.stdin.write("\n")
            receiver.stdin.flush()
            seen = int(receiver.stdout.readline())
            say(
                f"{arguments.database}: {seen} requests for {total} deliveries to {arguments.webhooks} webhooks of "
                f"{arguments.delay * 1000:g} ms: {total / seconds:.0f}/s, {cpu / total * 1000:.3f} CPU-ms each; "
                f"RSS {idle:.0f} MB idle, {memory_mb(pid, 'VmHWM'):.0f} MB at most"
            )


def percentiles(took: list[float]) -> str:
    took.sort()
    at = [took[min(len(took) - 1, int(len(took) * share))] * 1000 for share in (0.5, 0.99, 1.0)]
    return f"p50 {at[0]:.1f} ms, p99 {at[1]:.1f} ms, worst {at[2]:.1f} ms of {len(took)}"


def latency(arguments: argparse.Namespace) -> None:
    with house(arguments.database) as settings, Receiver() as receiver:
        owner_id, _ = add_webhooks([receiver.url("/hook")])
        with dispatcher(settings) as pid:
            took = []
            for number in range(arguments.each):
                with unit_of_work():
                    events.record(owner_id, _SOME_EVENT)
                committed_at = time.time()
                took.append(receiver.wait_for(number + 1)[-1].at - committed_at)
                time.sleep(0.03 + (number % 7) / 100)
            say(f"{arguments.database}: commit to arrival {percentiles(took)}; RSS {memory_mb(pid):.0f} MB")


def isolation(arguments: argparse.Namespace) -> None:
    """Send ten events a second to all webhooks; the latency of the good ones, with and without bad ones."""
    with house(arguments.database) as settings, Receiver() as receiver:
        bad = arguments.holes + arguments.drips
        urls = [receiver.url(f"/{n}", host=f"127.0.0.{n + 1}") for n in range(arguments.webhooks)]
        for number in range(arguments.holes):
            receiver.script(f"/{number}", hang())
        for number in range(arguments.holes, bad):
            receiver.script(f"/{number}", drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"))
        owner_id, hook_ids = add_webhooks(urls)
        if bad:
            fill(hook_ids[:bad], arguments.each)
        with dispatcher(settings):
            committed = {}
            for _ in range(arguments.seconds * 10):
                with unit_of_work():
                    uuid = events.record(owner_id, _SOME_EVENT).uuid
                committed[uuid] = time.time()
                time.sleep(0.1)
            time.sleep(1.0)
        good = {f"/{number}" for number in range(bad, arguments.webhooks)}
        took = [
            one.at - committed[one.headers["webhook-id"]] for one in receiver.requests() if one.path in good
        ]
        say(f"{arguments.database}: {arguments.holes} holes, {arguments.drips} drips: {percentiles(took)}")
        say(f"expected {len(committed) * len(good)}")


def main() -> None:
    measures = {"throughput": throughput, "latency": latency, "isolation": isolation}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=measures)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--webhooks", type=int, default=100)
    parser.add_argument("--each", type=int, default=200, help="deliveries per webhook, or samples of latency")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds a receiver takes to answer")
    parser.add_argument("--holes", type=int, default=0, help="webhooks whose receiver never answers")
    parser.add_argument("--drips", type=int, default=0, help="webhooks whose receiver never ends its answer")
    parser.add_argument("--seconds", type=int, default=20, help="how long isolation is watched")
    arguments = parser.parse_args()
    measures[arguments.what](arguments)


if __name__ == "__main__":
    main()
