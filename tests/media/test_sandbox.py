"""The fences around the child, tried from inside by programs that mean harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from speakr.domain.errors import MediaToolFailed, UnusableMedia
from speakr.media import sandbox
from speakr.media.sandbox import CHILD, SandboxLimits, SandboxReport, run

ROOT = Path(__file__).parents[2]

INMATE = """
import ctypes, errno, fcntl, json, mmap, os, runpy, signal, socket, subprocess, sys, threading, time

child = runpy.run_path({child!r})
order = json.loads(sys.argv[1])
child["limit_resources"](**order["limits"])
fenced = child["raise_fence"](bytes.fromhex(order["filter"]), order["parent_pid"])

def report(**result):
    os.write(1, json.dumps({{"result": result, "network_fenced": fenced, "peak_rss_bytes": 1}}).encode())

def errno_of(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "it worked"

{body}
"""


class Jail:
    """Runs a piece of Python where FFmpeg would run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.source = folder / "source"
        self.source.write_bytes(b"untrusted bytes")

    def run(
        self, body: str, *, cpu: float = 5, wall: float = 10, file_bytes: int = 0, **more: Any
    ) -> SandboxReport:
        script = self._folder / "inmate.py"
        script.write_text(INMATE.format(child=str(CHILD), body=body))
        return run("probe", self.source, SandboxLimits(cpu, wall, file_bytes), script=script, **more)


@pytest.fixture
def jail(tmp_path: Path) -> Jail:
    return Jail(tmp_path)


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_the_network_is_out_of_reach(jail: Jail) -> None:
    report = jail.run(
        "report(tcp=errno_of(lambda: socket.socket()), udp=errno_of(lambda: socket.socket(type=socket.SOCK_DGRAM)),"
        " unix=errno_of(lambda: socket.socket(socket.AF_UNIX)), pair=errno_of(socket.socketpair))"
    )
    assert report.network_fenced
    assert report.result == dict.fromkeys(["tcp", "udp", "unix", "pair"], "EPERM")


def test_no_process_can_be_made_or_touched(jail: Jail) -> None:
    report = jail.run(
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(name, *arguments):\n"
        "    if getattr(libc, name)(*arguments) < 0: raise OSError(ctypes.get_errno(), name)\n"
        "report(fork=errno_of(os.fork), spawn=errno_of(lambda: subprocess.run([sys.executable, '-V'])),"
        " kill=errno_of(lambda: os.kill(order['parent_pid'], 0)), kill_self=errno_of(lambda: os.kill(os.getpid(), 0)),"
        " nice=errno_of(lambda: os.setpriority(os.PRIO_PROCESS, 0, 5)),"
        " affinity=errno_of(lambda: os.sched_setaffinity(order['parent_pid'], [0])),"
        " setrlimit=errno_of(lambda: call('setrlimit', 0, (ctypes.c_ulong * 2)(1, 1))))"
    )
    assert set(report.result.values()) == {"EPERM"}


@pytest.mark.parametrize(
    "attack",
    [
        "os.execve(sys.executable, ['x'], {})",
        "ctypes.CDLL(None).ptrace(16, order['parent_pid'], 0, 0)",
        "ctypes.CDLL(None).unshare(0x10000000)",
    ],
    ids=["execve", "ptrace", "unshare"],
)
def test_a_call_of_an_exploit_ends_the_child_and_the_file_is_refused_for_good(
    jail: Jail, attack: str
) -> None:
    with capture_logs() as logs, pytest.raises(UnusableMedia) as caught:
        jail.run(attack)
    assert caught.value.slug == "undecodable"
    assert [entry["event"] for entry in logs] == ["media_child_made_forbidden_call"]


def test_no_memory_becomes_executable(jail: Jail) -> None:
    report = jail.run(
        "report(mmap=errno_of(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)),"
        " data=errno_of(lambda: mmap.mmap(-1, 4096)))"
    )
    assert report.result == {"mmap": "EPERM", "data": "it worked"}


def test_no_other_file_can_be_opened_or_changed(jail: Jail, tmp_path: Path) -> None:
    neighbour = tmp_path / "neighbour"
    neighbour.write_text("another user's recording")
    report = jail.run(
        f"path = {str(neighbour)!r}\n"
        "report(read=errno_of(lambda: os.open(path, os.O_RDONLY)), write=errno_of(lambda: os.open(path, os.O_WRONLY)),"
        " unlink=errno_of(lambda: os.unlink(path)), rename=errno_of(lambda: os.rename(path, path + '2')),"
        " chmod=errno_of(lambda: os.chmod(path, 0o777)), mkdir=errno_of(lambda: os.mkdir(path + '3')),"
        " truncate=errno_of(lambda: os.truncate(path, 0)), list=errno_of(lambda: os.listdir('/')),"
        " stat=errno_of(lambda: os.stat(path)), readlink=errno_of(lambda: os.readlink(path)),"
        " times=errno_of(lambda: os.utime(path)), chdir=errno_of(lambda: os.chdir('/')))"
    )
    assert set(report.result.values()) == {"EPERM"}
    assert neighbour.read_text() == "another user's recording"


def test_it_holds_the_file_and_nothing_else(jail: Jail) -> None:
    keep_open = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(keep_open, True)  # noqa: FBT003 - its only form
    try:
        report = jail.run(
            "held = []\n"
            "for number in range(1024):\n"
            "    if errno_of(lambda: fcntl.fcntl(number, fcntl.F_GETFD)) == 'it worked': held.append(number)\n"
            "report(held=held, source=order['source_fd'], text=os.pread(order['source_fd'], 99, 0).decode())"
        )
    finally:
        os.close(keep_open)
    assert report.result["held"] == sorted({0, 1, 2, report.result["source"]})
    assert report.result["text"] == "untrusted bytes"


def test_it_carries_no_secrets(jail: Jail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hunter2@db/speakr")
    report = jail.run(
        "names = [name for name in sys.modules if name.partition('.')[0] in ('speakr', 'numpy', 'structlog', 'flask')]\n"
        "report(environment=dict(os.environ), arguments=sys.argv[1:], modules=names)"
    )
    output = json.dumps(report.result)
    assert "hunter2" not in output
    assert set(report.result["environment"]) <= {"LC_CTYPE"}  # Python sets this one by itself
    assert report.result["modules"] == []
    assert str(jail.source) not in output


def test_threads_still_work(jail: Jail) -> None:
    report = jail.run(
        "done = []\n"
        "threads = [threading.Thread(target=done.append, args=(n,)) for n in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "report(done=sorted(done))"
    )
    assert report.result == {"done": [0, 1, 2, 3]}


def test_a_hung_child_is_ended_at_the_deadline(jail: Jail, tmp_path: Path) -> None:
    with (tmp_path / "pid").open("w+b") as notes:
        started = time.monotonic()
        with pytest.raises(UnusableMedia, match="too expensive") as caught:
            jail.run(
                "os.write(order['sink_fd'], str(os.getpid()).encode()); time.sleep(60)",
                wall=1.0, file_bytes=99, sink_fd=notes.fileno(),
            )  # fmt: skip
        took = time.monotonic() - started
        notes.seek(0)
        pid = int(notes.read())
    assert caught.value.slug == "undecodable"
    assert 0.9 < took < 5
    assert not is_alive(pid)


def test_a_child_that_answers_and_stays_is_ended_too(jail: Jail) -> None:
    with pytest.raises(UnusableMedia, match="too expensive"):
        jail.run("report(); os.close(1); time.sleep(60)", wall=1.0)


def test_a_child_that_burns_the_processor_is_ended_by_the_kernel(jail: Jail) -> None:
    with pytest.raises(UnusableMedia, match="too expensive") as caught:
        jail.run("while True: pass", cpu=1, wall=30)
    assert caught.value.slug == "undecodable"


def test_memory_is_bounded(jail: Jail) -> None:
    report = jail.run(
        "try:\n    bytearray(3 << 30)\n    report(got='it')\nexcept MemoryError:\n    report(got='refused')"
    )
    assert report.result == {"got": "refused"}


def test_what_it_writes_is_bounded(jail: Jail, tmp_path: Path) -> None:
    with (tmp_path / "sink").open("w+b") as sink:
        report = jail.run(
            "fd = order['sink_fd']\n"
            "os.write(fd, bytes(1000))\n"
            "report(more=errno_of(lambda: os.write(fd, bytes(1000))))",
            file_bytes=1000, sink_fd=sink.fileno(),
        )  # fmt: skip
    assert report.result == {"more": "EFBIG"}
    assert (tmp_path / "sink").stat().st_size == 1000


def test_its_output_is_bounded(jail: Jail) -> None:
    with pytest.raises(UnusableMedia, match="too expensive"):
        jail.run("while True: os.write(1, b'x' * 65536)", wall=1.5)
    with pytest.raises(MediaToolFailed):
        jail.run("report(padding='x' * 60000)")


@pytest.mark.parametrize(
    "body",
    [
        "ctypes.string_at(0)",
        "sys.exit(3)",
        "raise RuntimeError('/srv/secret/path')",
        "pass",
        "os.write(1, b'Invalid data found when processing input')",
        "os.write(1, b'[]')",
        """os.write(1, b'{"problem": "/srv/secret/path", "network_fenced": true, "peak_rss_bytes": 1}')""",
        """os.write(1, b'{"result": {}, "peak_rss_bytes": 1}')""",
    ],
    ids=["crash", "exit", "exception", "silence", "tool text", "list", "unknown fault", "half a report"],
)
def test_a_child_that_dies_or_babbles_is_a_passing_failure(jail: Jail, body: str) -> None:
    with capture_logs(), pytest.raises(MediaToolFailed) as caught:
        jail.run(body)
    assert caught.value.message == "Reading this file failed; it may work on another try."


def test_a_full_disk_has_its_own_error(jail: Jail) -> None:
    with pytest.raises(MediaToolFailed, match="no room") as caught:
        jail.run("""os.write(1, b'{"problem": "no_space", "network_fenced": true, "peak_rss_bytes": 1}')""")
    assert caught.value.slug == "out_of_space"


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    script, pid_file = tmp_path / "inmate.py", tmp_path / "pid"
    body = "os.write(order['sink_fd'], str(os.getpid()).encode()); time.sleep(60)"
    script.write_text(INMATE.format(child=str(CHILD), body=body))
    program = """
import sys
from pathlib import Path
from speakr.media.sandbox import SandboxLimits, run
script = Path(sys.argv[1])
with open(sys.argv[2], "wb") as notes:
    run("probe", script, SandboxLimits(5, 60, 99), script=script, sink_fd=notes.fileno())
"""
    parent = subprocess.Popen([sys.executable, "-c", program, str(script), str(pid_file)], cwd=ROOT)
    wait_until(lambda: pid_file.exists() and pid_file.stat().st_size > 0)
    pid = int(pid_file.read_text())
    assert is_alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not is_alive(pid))


def wait_until(holds, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def test_without_a_filter_the_other_fences_stand_and_the_report_says_so(
    jail: Jail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_filter", lambda: None)
    sandbox._warn_of_missing_fence.cache_clear()
    with capture_logs() as logs:
        for _ in range(2):
            report = jail.run("report(memory=child['resource'].getrlimit(child['resource'].RLIMIT_AS)[1])")
    assert not report.network_fenced
    assert report.result == {"memory": 2 * 1024**3}
    assert [entry["event"] for entry in logs] == ["media_child_without_system_call_filter"]


def test_green_threads_go_on_while_a_child_works(jail: Jail, tmp_path: Path) -> None:
    script = tmp_path / "slow.py"
    script.write_text(INMATE.format(child=str(CHILD), body="time.sleep(0.5); report(heard=True)"))
    program = """
from gevent import monkey; monkey.patch_all()
import sys, time, gevent
from pathlib import Path
from speakr.domain.errors import UnusableMedia
from speakr.media.sandbox import SandboxLimits, run

ticks = 0
def tick():
    global ticks
    while True:
        gevent.sleep(0.01)
        ticks += 1

def one(wall):
    try:
        return run("probe", Path(sys.argv[1]), SandboxLimits(5, wall), script=Path(sys.argv[1])).result
    except UnusableMedia:
        return "ended"

gevent.spawn(tick)
jobs = [gevent.spawn(one, wall) for wall in (10, 10, 0.3)]
gevent.joinall(jobs)
print([job.value for job in jobs], ticks > 15)
"""
    output = subprocess.run(
        [sys.executable, "-c", program, str(script)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert output.stdout == "[{'heard': True}, {'heard': True}, 'ended'] True\n"
