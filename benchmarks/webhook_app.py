"""Parts of the webhook benchmark: an empty server, dispatchers in separate processes, receivers, figures."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import exists, func, insert, select

from speakr.app import create_app
from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.deliveries import DUE_STATUSES, DeliveryStatus
from speakr.domain.events import EventType, RecordingUpdated
from speakr.domain.permissions import DEFAULT_SCOPES, Actor
from speakr.models import Delivery, Webhook
from speakr.schema import upgrade
from speakr.services.accounts import users
from speakr.services.accounts.sealing import seal
from speakr.services.webhooks import events, webhook_options
from speakr.settings import Settings
from tests.servers import RedisServer, postgres_server, redis_server
from tests.webhooks.dispatchers import DispatcherProcess

SOME_EVENT = RecordingUpdated(recording_id=1, title="A title", fields_changed=("title",))
_TICKS = os.sysconf("SC_CLK_TCK")
_SEED, _AT_ONCE = 10_000, 100_000


@dataclass
class WebhookApp:
    """An empty server with one user, in an app context; nothing is sent until a dispatcher is started."""

    settings: Settings
    redis: RedisServer
    owner: Actor
    started: int = 0

    def dispatcher(self, **more: str) -> DispatcherProcess:
        """Start a dispatcher."""
        self.started += 1
        process = DispatcherProcess(
            self.settings, self.settings.data_dir / f"dispatcher-{self.started}.log", **more
        )
        process.start()
        return process

    def add_webhooks(self, urls: Sequence[str], **options: object) -> list[int]:
        """Add webhooks for all event types; return their ids."""
        with unit_of_work() as session:
            hooks = [
                Webhook(
                    user_id=self.owner.user_id,
                    name="x",
                    url=url,
                    allow_http=True,
                    events=[event.value for event in EventType],
                    secret_sealed=seal("s" * 43),
                    **options,
                )
                for url in urls
            ]
            session.add_all(hooks)
            session.flush()  # to know their ids
            for hook in hooks:
                webhook_options.start_sequence(hook)
            return [hook.id for hook in hooks]

    def emit(self, count: int = 1) -> list[str]:
        """Record events in one transaction; return their ids."""
        with unit_of_work():
            return [events.record(self.owner.user_id, SOME_EVENT).uuid for _ in range(count)]


@contextmanager
def webhook_app(database: str, *, place: str = "", **settings: object) -> Iterator[WebhookApp]:
    """Open an empty server; `place`: the folder of its SQLite file, or the URL of an existing PostgreSQL database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spk-b-")))
        url = f"sqlite:///{Path(place or folder) / 'speakr.db'}"
        if database == "postgresql":
            url = place or stack.enter_context(postgres_server())
        upgrade(url)
        redis = stack.enter_context(redis_server())
        chosen = Settings(
            secret_key="k" * 40,
            data_dir=folder,
            database_url=url,
            redis_url=redis.url,
            webhook_allowed_hosts="127.0.0.0/8",
            log_level="CRITICAL",
        )
        chosen = replace(chosen, **settings)  # type: ignore[arg-type] # fields of Settings
        app = create_app(chosen)
        stack.enter_context(app.app_context())
        stack.callback(db.engine.dispose)
        stack.callback(db.session.remove)
        with unit_of_work():
            user = users.create(username="owner")
        yield WebhookApp(chosen, redis, Actor(user.id, "owner", is_admin=False, scopes=DEFAULT_SCOPES))


@contextmanager
def sending(made: WebhookApp, **more: str) -> Iterator[int]:
    """Run a dispatcher; yield its process id."""
    process = made.dispatcher(**more)
    assert process.process is not None
    try:
        yield process.process.pid
    finally:
        process.stop()


@contextmanager
def receiver_process(delay: float = 0.0, *, certificate: Path | None = None) -> Iterator[int]:
    """Run a receiver that only counts, in a separate process; yield its port.

    With a certificate it uses TLS and closes the connection after each response.
    """
    command = [sys.executable, "-m", "tests.webhooks.receiver", str(delay)]
    command += [str(certificate)] if certificate else []
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def fill(
    hook_ids: Sequence[int],
    each: int,
    *,
    status: DeliveryStatus = DeliveryStatus.PENDING,
    is_old: bool = False,
) -> int:
    """Write deliveries of some 400 bytes without their events; return how many."""
    moment = now()
    created = moment - timedelta(days=365) if is_old else moment
    row = {
        "event_type": EventType.RECORDING_UPDATED,
        "body": '{"data":"' + "x" * 390 + '"}',
        "next_attempt_at": moment if status in DUE_STATUSES else None,
        "created_at": created,
        "status": status,
        "attempt_count": 0,
    }
    numbers = [(number, hook_id) for number in range(each) for hook_id in hook_ids]
    for start in range(0, len(numbers), 10_000):
        rows = [
            {**row, "webhook_id": hook_id, "event_uuid": f"00000000-0000-4000-8000-{number:012d}"}
            for number, hook_id in numbers[start : start + 10_000]
        ]
        with unit_of_work() as session:
            session.execute(insert(Delivery), rows)
    return len(numbers)


def fill_history(hook_ids: Sequence[int], count: int, *, is_old: bool = False) -> float:
    """Write deliveries that have ended; return the seconds it took. The database copies them itself."""
    began = time.monotonic()
    release()
    last = db.session.scalar(select(func.max(Delivery.id))) or 0
    written = fill(hook_ids, _SEED // len(hook_ids), status=DeliveryStatus.SUCCESS, is_old=is_old)
    columns = [column for column in Delivery.__table__.columns if column.name != "id"]
    while written < count:
        more = min(written, count - written, _AT_ONCE)
        first = select(*columns).where(Delivery.id > last).order_by(Delivery.id).limit(more)
        with unit_of_work() as session:
            session.execute(insert(Delivery).from_select([column.name for column in columns], first))
        written += more
    return time.monotonic() - began


def wait_until_all_is_sent(seconds: float = 600.0) -> None:
    """Wait until no delivery is open."""
    deadline = time.monotonic() + seconds
    open_ones = select(exists().where(Delivery.status.in_(DUE_STATUSES)))
    while True:
        release()
        is_open = db.session.scalar(open_ones)
        release()
        if not is_open:
            return
        assert time.monotonic() < deadline, "deliveries are left"
        time.sleep(0.05)


def attempts_spent() -> int:
    """Return the sum of the deliveries' attempts beyond one each."""
    release()
    return db.session.scalar(select(func.sum(Delivery.attempt_count) - func.count())) or 0


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int, which: str = "VmRSS") -> float:
    """Return the present (VmRSS) or the maximum memory (VmHWM) of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(which + ":"))


def forget_peak(pid: int) -> None:
    """Reset VmHWM (proc(5): clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def percentile(took: Sequence[float], share: float) -> float:
    """Return a percentile in milliseconds."""
    ordered = sorted(took)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
