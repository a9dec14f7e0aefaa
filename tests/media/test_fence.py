"""The system call filter, run here instruction by instruction as the kernel would."""

from __future__ import annotations

import errno
import struct

import pytest

from speakr.media.fence import FORBIDDEN, seccomp_filter

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE = {"x86_64": 56, "aarch64": 220}
# read, write, mmap, brk, futex, exit_group, lseek, fstat, clock_gettime
NEEDED = {
    "x86_64": (0, 1, 9, 12, 202, 231, 8, 5, 228),
    "aarch64": (63, 64, 222, 214, 98, 94, 62, 80, 113),
}
THREAD_FLAGS = 0x3D0F00  # what the C library asks for when it makes a thread
FORK_FLAGS = 0x1200011

machines = pytest.mark.parametrize("machine", ["x86_64", "aarch64"])


def answer(machine: str, number: int, *, argument: int = 0, architecture: int | None = None) -> int:
    """Run the filter over one call; `struct seccomp_data` as in <linux/seccomp.h>."""
    program = seccomp_filter(machine)
    assert program is not None
    steps = list(struct.iter_unpack("=HBBI", program))
    call = struct.pack(
        "=iIQ6Q", number, architecture or ARCHITECTURES[machine], 0, argument, *[0xFFFFFFFFFFFFFFFF] * 5
    )
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


@machines
def test_every_forbidden_call_is_denied(machine: str) -> None:
    column = ["x86_64", "aarch64"].index(machine)
    numbers = {name: pair[column] for name, pair in FORBIDDEN.items() if pair[column] is not None}
    assert {"socket", "connect", "openat", "execve", "ptrace", "kill", "io_uring_setup"} <= set(numbers)
    assert len(set(numbers.values())) == len(numbers)
    assert {name: answer(machine, number) for name, number in numbers.items()} == dict.fromkeys(
        numbers, EPERM
    )


@machines
def test_what_decoding_needs_passes(machine: str) -> None:
    assert [answer(machine, number) for number in NEEDED[machine]] == [ALLOW] * len(NEEDED[machine])


@machines
def test_clone_makes_threads_but_no_processes(machine: str) -> None:
    assert answer(machine, CLONE[machine], argument=THREAD_FLAGS) == ALLOW
    assert answer(machine, CLONE[machine], argument=FORK_FLAGS) == EPERM


@machines
def test_clone3_looks_absent_so_that_clone_is_used(machine: str) -> None:
    assert answer(machine, 435) == ENOSYS


@machines
def test_calls_of_another_architecture_end_the_process(machine: str) -> None:
    assert answer(machine, 0, architecture=0x40000003) == KILL  # i386


def test_the_second_table_of_x86_is_closed() -> None:
    assert answer("x86_64", 0x40000000 | 41) == EPERM


def test_unknown_machines_have_no_filter() -> None:
    assert seccomp_filter("riscv64") is None
