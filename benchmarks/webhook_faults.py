"""Webhooks on an unavailable or full database, over a new TLS connection each time, and signatures as receivers check them."""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import random
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError as StandardError
from svix.webhooks import Webhook as SvixWebhook
from svix.webhooks import WebhookVerificationError as SvixError

from benchmarks.webhook_app import (
    WebhookApp,
    attempts_spent,
    fill,
    processor_seconds,
    receiver_process,
    sending,
    wait_until_all_is_sent,
    webhook_app,
)
from speakr.db import db, release
from speakr.domain.clock import now
from speakr.domain.events import EventType
from speakr.domain.signatures import delivery_headers, new_secret, standard_secret
from speakr.models import Event
from tests.servers import postgres_server
from tests.webhooks.certificates import certificate_for
from tests.webhooks.dispatchers import DispatcherProcess
from tests.webhooks.receiver import Receiver, reply

Row = list[str]

WEBHOOKS = 4
TIMES = 5
FULL_SECONDS = 10.0
DISK_MB = {"sqlite": 8, "postgresql": 160}
MAX_BODY_BYTES = 256 * 1024
_MAX_LOCKED_SECONDS = 22.0
"""Longer than SQLite waits for its lock, so that the wait fails too."""


# -- G4


class Cluster:
    """A throw-away PostgreSQL that can be stopped and started again with its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()
        self.url = ""

    def start(self) -> None:
        """Start it."""
        self.url = self._running.enter_context(postgres_server(self._folder))

    def stop(self) -> None:
        """Stop it, as a restart does: all connections break."""
        self._running.close()


@dataclass(frozen=True)
class _Result:
    """The result of a time of failures."""

    event_count: int
    refused: int
    lost: int
    sent_again: int
    attempts_spent: int
    is_alive: bool
    log_lines: int
    seconds: float
    cpu_seconds: float

    def row(self, name: str) -> Row:
        figures = (
            f"{self.lost} lost of {self.event_count:,}, {self.sent_again} sent again, {self.attempts_spent} attempts spent, "
            f"process {'alive' if self.is_alive else 'DEAD'}; in {self.seconds:.0f} s {self.log_lines} log lines "
            f"({self.log_lines / self.seconds:.2f}/s), {self.cpu_seconds:.1f} s CPU; {self.refused:,} events refused"
        )
        return [name, figures, "0 lost, alive, <= 2 lines/s"]


def _send_during(made: WebhookApp, trouble: Callable[[], None], *, backlog: int) -> _Result:
    """Record events for four webhooks while there are failures, until all are sent."""
    with Receiver() as receiver, tempfile.TemporaryDirectory(prefix="spk-b-") as folder:
        receiver.script_all(reply(200, after=0.25))
        made.add_webhooks([receiver.url(f"/{n}", host=f"127.0.0.{n + 1}") for n in range(WEBHOOKS)])
        confirmed, refused = made.emit(backlog), 0  # something to send and to write all the time
        dispatcher = DispatcherProcess(
            made.settings, Path(folder) / "log"
        )  # not on the disk that will be full
        dispatcher.start()
        assert dispatcher.process is not None
        said, spent, began = dispatcher.said(), processor_seconds(dispatcher.process.pid), time.monotonic()
        troubled = threading.Thread(target=trouble)
        troubled.start()
        while troubled.is_alive():
            try:
                confirmed += made.emit()
            except SQLAlchemyError:
                refused += 1
            time.sleep(0.02)
        troubled.join()
        seconds = time.monotonic() - began
        lines = dispatcher.said()[len(said) :].count("\n")
        cpu_seconds = processor_seconds(dispatcher.process.pid) - spent
        wait_until_all_is_sent(120)
        is_alive = dispatcher.process.poll() is None
        dispatcher.stop()
        release()
        written = set(db.session.scalars(select(Event.uuid)))
        came = {(one.path, one.headers["webhook-id"]) for one in receiver.requests()}
        wanted = {(f"/{n}", event_id) for n in range(WEBHOOKS) for event_id in written | set(confirmed)}
        return _Result(
            event_count=len(wanted),
            refused=refused,
            lost=len(wanted - came),
            sent_again=len(receiver.requests()) - len(came),
            attempts_spent=attempts_spent(),
            is_alive=is_alive,
            log_lines=lines,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
        )


def outages(database: str, *, full: bool) -> list[Row]:
    """G4: the database is restarted, or, if it is a file, locked by another process."""
    if database == "sqlite":
        with webhook_app(database) as made:
            lasting = [*[5.0 if full else 2.0] * (TIMES - 1), _MAX_LOCKED_SECONDS]
            path = str(db.engine.url.database)
            result = _send_during(made, lambda: _lock_repeatedly(path, lasting), backlog=1_000)
        return [result.row(f"G4 SQLite locked {TIMES} times, once for {_MAX_LOCKED_SECONDS:.0f} s")]
    with _folder_of_a_cluster() as folder:
        cluster = Cluster(folder)
        cluster.start()
        try:
            with webhook_app(database, place=cluster.url) as made:
                away = 5.0 if full else 1.5
                result = _send_during(made, lambda: _restart_repeatedly(cluster, away), backlog=600)
        finally:
            cluster.stop()
    return [result.row(f"G4 PostgreSQL restarted {TIMES} times, down for {away:g} s each time")]


def _lock_repeatedly(path: str, lasting: Sequence[float]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
        for seconds in lasting:
            time.sleep(1.0)
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            other.execute("ROLLBACK")
        time.sleep(1.0)


def _restart_repeatedly(cluster: Cluster, seconds: float) -> None:
    for _ in range(TIMES):
        time.sleep(1.5)
        cluster.stop()
        time.sleep(seconds)
        cluster.start()
    time.sleep(1.5)


@contextmanager
def _folder_of_a_cluster() -> Iterator[Path]:
    """Yield a folder that can belong to the unprivileged user that PostgreSQL runs as."""
    folder = Path(tempfile.mkdtemp(prefix="spk-p-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def disk(database: str, *, full: bool) -> list[Row]:  # noqa: ARG001 - quick enough as it is
    """G4: the disk of the database is full for a while."""
    name = f"G4 disk of {DISK_MB[database]} MB full for {FULL_SECONDS:.0f} s"
    with _folder_of_a_cluster() as folder:
        if not _mount(folder, DISK_MB[database]):
            return [
                [name, "skipped: this process may not mount a file system", "0 lost, alive, <= 2 lines/s"]
            ]
        try:
            result = _on_a_small_disk(database, folder)
        finally:
            subprocess.run([shutil.which("umount") or "", "--lazy", str(folder)], check=True)
    return [result.row(name)]


def _mount(folder: Path, megabytes: int) -> bool:
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    return mount is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _on_a_small_disk(database: str, folder: Path) -> _Result:
    with ExitStack() as open_things:
        place = str(folder)
        if database == "postgresql":
            cluster = Cluster(folder)
            cluster.start()
            open_things.callback(cluster.stop)
            place = cluster.url
        made = open_things.enter_context(webhook_app(database, place=place))
        return _send_during(made, lambda: _fill_up(folder / "ballast"), backlog=600)


def _fill_up(ballast: Path) -> None:
    """Fill the disk, including space that becomes free, for a while."""
    time.sleep(2.0)
    ends_at = time.monotonic() + FULL_SECONDS
    with ballast.open("ab", buffering=0) as file:
        while time.monotonic() < ends_at:
            try:
                file.write(bytes(4096))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                time.sleep(0.02)
    ballast.unlink()
    time.sleep(3.0)


# -- G7


def tls(database: str, *, full: bool) -> list[Row]:
    """G7: a new connection, and a new TLS handshake, for each delivery."""
    # Few, because the certificate names all of them, and reading a hundred names costs more than the
    # handshake.
    hosts = [f"127.0.0.{number + 1}" for number in range(10)]
    with tempfile.TemporaryDirectory(prefix="spk-b-") as folder, webhook_app(database) as made:
        certificate = Path(folder) / "receiver.pem"
        certificate.write_bytes(certificate_for(hosts))
        with receiver_process(certificate=certificate) as port:
            hooks = made.add_webhooks([f"https://{host}:{port}/{n}" for host in hosts for n in range(10)])
            with sending(made, SSL_CERT_FILE=str(certificate)) as pid:
                fill(hooks, 1)
                wait_until_all_is_sent()
                cpu = processor_seconds(pid)
                total = fill(hooks, 100 if full else 20)
                started = time.monotonic()
                wait_until_all_is_sent()
                seconds, cpu = time.monotonic() - started, processor_seconds(pid) - cpu
            assert attempts_spent() == 0
    text = f"{total / seconds:,.0f}/s, {cpu / total * 1000:.2f} CPU-ms each, {total:,} deliveries"
    return [["G7 throughput, 100 webhooks, fresh TLS each time", text, ">= 400/s"]]


# -- G14


def _who_accepts(secret: str, headers: dict[str, str], body: bytes) -> list[str]:
    """Return which implementations accept a request: libraries, and the few lines that a receiver would write."""
    given = standard_secret(secret)
    found = ["by hand"] if _is_from_speakr(secret, headers["Speakr-Signature"], body) else []
    for name, library in {"standardwebhooks": StandardWebhook(given), "svix": SvixWebhook(given)}.items():
        with suppress(StandardError, SvixError, UnicodeDecodeError):
            library.verify(body, headers)  # type: ignore[attr-defined] # both have it
            found.append(name)
    return found


def _is_from_speakr(secret: str, signature: str, body: bytes) -> bool:
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature)


_ALPHABETS = (
    "ab ",
    "\u00e9\u00df",
    "\u6c49\u8a9e",
    "\U0001f399\U0001f50a",
    '\\"\n\t\x7f',
    "\u2028\ufeff\u202e",
    "\x00",
)


def _bodies(rng: random.Random, count: int) -> Iterator[bytes]:
    """Generate bodies: 10 % are empty, 1 % have the maximum length, the rest are texts of any alphabet."""
    for number in range(count):
        alphabet = "".join(rng.sample(_ALPHABETS, 3))
        title = "".join(rng.choices(alphabet, k=rng.choice([0, 10, 200, 5_000])))
        as_escapes = rng.random() < 0.5
        body = _body({"title": title} if number % 10 else {}, as_escapes=as_escapes)
        if number % 100 == 1:
            empty, once = (len(_body({"title": some}, as_escapes=as_escapes)) for some in ("", title))
            title *= (MAX_BODY_BYTES - empty) // max(1, once - empty)
            missing = MAX_BODY_BYTES - len(_body({"title": title}, as_escapes=as_escapes))
            body = _body({"title": title + "x" * missing}, as_escapes=as_escapes)
        yield body


def _body(data: dict[str, str], *, as_escapes: bool) -> bytes:
    return json.dumps({"data": data}, ensure_ascii=as_escapes, separators=(",", ":")).encode()


def signatures(_database: str, *, full: bool) -> list[Row]:
    """G14: two libraries and hand-written code verify the signatures, and refuse them when one byte differs."""
    count = 10_000 if full else 1_000
    rng = random.Random(7)
    verified, forged, largest = Counter[str](), Counter[str](), 0
    for body in _bodies(rng, count):
        secret = new_secret()
        headers = delivery_headers(
            event_id=str(uuid.UUID(int=rng.getrandbits(128))),
            event_type=EventType.RECORDING_UPDATED,
            body=body,
            secrets=[secret, new_secret()] if rng.random() < 0.2 else [secret],
            attempted_at=now(),
        )
        changed = bytearray(body)
        changed[rng.randrange(len(body))] ^= 1
        verified.update(_who_accepts(secret, headers, body))
        forged.update(_who_accepts(secret, headers, bytes(changed)))
        largest = max(largest, len(body))
    figures = ", ".join(f"{name} {verified[name]:,}" for name in ("standardwebhooks", "svix", "by hand"))
    text = f"{figures}; changed ones accepted: {forged.total()}; largest {largest:,} bytes"
    return [[f"G14 {count:,} bodies verified", text, f"{count:,} each, 0"]]
