"""The system call filter: run here instruction by instruction, and by the kernel for every number."""

from __future__ import annotations

import errno
import json
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from speakr.media.fence import ABSENT, ALLOWED, DEADLY, LIMITED, seccomp_filter
from speakr.media.sandbox import CHILD

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMNS = {"x86_64": 0, "aarch64": 1}
THREAD_FLAGS = 0x3D0F00  # what glibc asks for when it makes a thread
FORK_FLAGS = 0x1200011
CLONE_NEWUSER = 0x10000000
LAST_NUMBER = 470
# By name: what an earlier filter let through.
NEVER = {
    "x86_64": {
        "fchmodat2": 452, "utimensat": 280, "setpriority": 141, "ioprio_set": 251, "sched_setaffinity": 203,
        "stat": 4, "newfstatat": 262, "readlink": 89, "readlinkat": 267, "chdir": 80, "syslog": 103, "acct": 163,
        "sethostname": 170, "openat": 257, "socket": 41, "kill": 62, "tgkill": 234, "ioctl": 16, "prlimit64": 302,
    },
    "aarch64": {
        "fchmodat2": 452, "utimensat": 88, "setpriority": 140, "ioprio_set": 30, "sched_setaffinity": 122,
        "newfstatat": 79, "readlinkat": 78, "chdir": 49, "syslog": 116, "acct": 89, "sethostname": 161,
        "openat": 56, "socket": 198, "kill": 129, "tgkill": 131, "ioctl": 29, "prlimit64": 261,
    },
}  # fmt: skip
# Calls with arguments that pass, and some that do not. `prot`, `cmd` and `pid` are the arguments in question.
WITH_ARGUMENTS = (
    ("mmap", (0, 4096, 3), ALLOW), ("mmap", (0, 4096, 7), EPERM), ("mmap", (0, 4096, 4), EPERM),
    ("mprotect", (0, 4096, 1), ALLOW), ("mprotect", (0, 4096, 5), EPERM),
    ("clone", (THREAD_FLAGS,), ALLOW), ("clone", (FORK_FLAGS,), EPERM), ("clone", (0,), EPERM),
    ("clone", (THREAD_FLAGS | CLONE_NEWUSER,), EPERM), ("clone", (THREAD_FLAGS | 0x4000,), EPERM),
    ("fcntl", (3, 0), ALLOW), ("fcntl", (3, 2), ALLOW), ("fcntl", (3, 3), ALLOW), ("fcntl", (3, 1030), ALLOW),
    ("fcntl", (3, 4), EPERM), ("fcntl", (3, 8), EPERM), ("fcntl", (3, 1024), EPERM), ("fcntl", (3, 1033), EPERM),
    ("sched_getaffinity", (0, 128), ALLOW), ("sched_getaffinity", (1, 128), EPERM),
    ("prctl", (15,), ALLOW), ("prctl", (22,), EPERM), ("prctl", (4,), EPERM),
)  # fmt: skip

machines = pytest.mark.parametrize("machine", ["x86_64", "aarch64"])


def answer(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Run the filter over one call; `struct seccomp_data` as in <linux/seccomp.h>."""
    program = seccomp_filter(machine)
    assert program is not None
    steps = list(struct.iter_unpack("=HBBI", program))
    padded = (*arguments, *[0xFFFFFFFFFFFFFFFF] * 6)[:6]
    call = struct.pack("=iIQ6Q", number, architecture or ARCHITECTURES[machine], 0, *padded)
    at, value = 0, 0
    while True:
        code, if_true, if_false, operand = steps[at]
        if code == 0x06:
            return operand
        if code == 0x20:
            (value,) = struct.unpack_from("=I", call, operand)
            jump = 0
        else:
            is_true = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
            jump = if_true if is_true else if_false
        at += 1 + jump


def expected(machine: str) -> dict[int, int]:
    """What the filter answers to each number, with all bits of all arguments set."""
    column = COLUMNS[machine]
    answers = dict.fromkeys(range(LAST_NUMBER + 1), EPERM)
    for calls, verdict in ((ALLOWED, ALLOW), (ABSENT, ENOSYS), (DEADLY, KILL)):
        for pair in calls.values():
            if (number := pair[column]) is not None:
                answers[number] = verdict
    return answers


@machines
def test_only_the_listed_calls_pass(machine: str) -> None:
    assert {number: answer(machine, number) for number in range(LAST_NUMBER + 1)} == expected(machine)


@machines
def test_no_number_is_listed_twice(machine: str) -> None:
    column = COLUMNS[machine]
    pairs = [pair for calls in (ALLOWED, ABSENT, DEADLY) for pair in calls.values()]
    pairs += [pair for pair, _ in LIMITED.values()]
    numbers = [pair[column] for pair in pairs if pair[column] is not None]
    assert len(set(numbers)) == len(numbers)


@machines
def test_calls_that_reach_files_other_processes_and_the_network_are_denied(machine: str) -> None:
    denied = {name: answer(machine, number, 0, 0, 0, 0) for name, number in NEVER[machine].items()}
    assert denied == dict.fromkeys(NEVER[machine], EPERM)


@machines
@pytest.mark.parametrize(("name", "arguments", "verdict"), WITH_ARGUMENTS)
def test_arguments_decide_for_some_calls(
    machine: str, name: str, arguments: tuple[int, ...], verdict: int
) -> None:
    number = LIMITED[name][0][COLUMNS[machine]]
    assert number is not None
    assert answer(machine, number, *arguments) == verdict


@machines
def test_calls_of_another_architecture_end_the_process(machine: str) -> None:
    assert answer(machine, 0, architecture=0x40000003) == KILL  # i386


def test_the_second_table_of_x86_is_closed() -> None:
    assert answer("x86_64", 0x40000000 | 41) == EPERM
    assert answer("x86_64", 0x40000000) == EPERM


def test_unknown_machines_have_no_filter() -> None:
    assert seccomp_filter("riscv64") is None


PROBE = """
import ctypes, json, os, runpy, signal, struct, sys

child = runpy.run_path(sys.argv[1])
fence, parent, passed_errno, mark = bytes.fromhex(sys.argv[2]), os.getpid(), 200, 0x5EED
libc = ctypes.CDLL(None, use_errno=True)

def step(code, operand, if_true=0, if_false=0):
    return struct.pack("=HBBI", code, if_true, if_false, operand)

def verdict(number, arguments):
    # The probe fails this one call with errno 200 if its sixth argument is the mark. The fence is newer, so its
    # errors win over the probe's; what it allows shows as errno 200. So no call under test is ever made.
    probe = (step(0x20, 0) + step(0x15, number, 0, 3) + step(0x20, 56) + step(0x15, mark, 0, 1)
             + step(0x06, 0x00050000 | passed_errno) + step(0x06, 0x7FFF0000))
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        assert child["raise_fence"](probe, parent) and child["raise_fence"](fence, parent)
        padded = [*arguments, *[0xFFFFFFFFFFFFFFFF] * 5][:5] + [mark]
        libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(argument) for argument in padded))
        os.write(writer, str(ctypes.get_errno()).encode())
        os._exit(0)
    os.close(writer)
    text = os.read(reader, 99)
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS:
        return "killed"
    return {1: "EPERM", 38: "ENOSYS", passed_errno: "passed"}.get(int(text or -1), f"{text!r} {status}")

print(json.dumps([verdict(number, arguments) for number, arguments in json.loads(sys.stdin.read())]))
"""
WORDS = {ALLOW: "passed", KILL: "killed", EPERM: "EPERM", ENOSYS: "ENOSYS"}


def verdicts_of_the_kernel(calls: list[tuple[int, list[int]]], folder: Path) -> list[str]:
    """Let the kernel decide about calls under the child's own installation of the filter."""
    script = folder / "probe.py"
    script.write_text(PROBE)
    fence = seccomp_filter()
    assert fence is not None
    run = subprocess.run(
        [sys.executable, script, CHILD, fence.hex()],
        input=json.dumps(calls), capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return json.loads(run.stdout)


@pytest.mark.skipif(platform.machine() not in COLUMNS, reason="no filter for this machine")
def test_the_kernel_lets_only_the_listed_calls_pass(tmp_path: Path) -> None:
    machine = platform.machine()
    # `uretprobe` and `uprobe` of x86 never reach a filter; the kernel fails them outside of its own trampoline.
    numbers = [n for n in range(LAST_NUMBER + 1) if machine != "x86_64" or n not in {335, 336}]
    found = verdicts_of_the_kernel([(number, []) for number in numbers], tmp_path)
    assert dict(zip(numbers, found, strict=True)) == {
        number: WORDS[expected(machine)[number]] for number in numbers
    }


@pytest.mark.skipif(platform.machine() not in COLUMNS, reason="no filter for this machine")
def test_the_kernel_checks_the_arguments(tmp_path: Path) -> None:
    column = COLUMNS[platform.machine()]
    calls = [(LIMITED[name][0][column] or 0, list(arguments)) for name, arguments, _ in WITH_ARGUMENTS]
    found = verdicts_of_the_kernel(calls, tmp_path)
    assert found == [WORDS[verdict] for _, _, verdict in WITH_ARGUMENTS]
