"""A seccomp filter that allows only the system calls that decoding and encoding need.

The filter is made here, by the parent, and installed by the child (`child.py`) once its libraries are
loaded and before it looks at the first untrusted byte. From then on it can read and write what it already
holds, allocate memory and run threads. Every other call fails with EPERM, or with ENOSYS where the C library has a
fallback. A call that only an exploit makes ends the process with SIGSYS.

`ALLOWED` was recorded with `strace` over the media tests. Calls that name a file are absent, also those
that only look: `newfstatat` is the `fstat` of some C libraries, but a filter cannot read its path.

Sources: Linux `Documentation/userspace-api/seccomp_filter.rst`; numbers from the kernel's
`arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h` (aarch64).
"""

from __future__ import annotations

import errno
import platform
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

_X86_64, _AARCH64 = 0, 1
_AUDIT_ARCH = (0xC000003E, 0xC00000B7)
_MACHINES: Mapping[str, int] = {"x86_64": _X86_64, "amd64": _X86_64, "aarch64": _AARCH64, "arm64": _AARCH64}

Numbers = tuple[int | None, int | None]
"""The number of a call on x86_64 and on aarch64; None where it does not exist."""

ALLOWED: Mapping[str, Numbers] = {
    # open descriptors
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "lseek": (8, 62), "fstat": (5, 80), "close": (3, 57), "dup": (32, 23),
    # memory; `mmap` and `mprotect` are in `LIMITED`
    "brk": (12, 214), "munmap": (11, 215), "mremap": (25, 216), "madvise": (28, 233),
    # threads; `clone` is in `LIMITED`
    "futex": (202, 98), "set_robust_list": (273, 99), "rseq": (334, 293), "sched_yield": (24, 124),
    "gettid": (186, 178), "getpid": (39, 172),
    # signals of its own
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    # clocks, randomness, and the end
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101), "gettimeofday": (96, 169), "time": (201, None), "restart_syscall": (219, 128),
    "getrandom": (318, 278), "getrusage": (98, 165), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
"""Calls that pass with any arguments."""


@dataclass(frozen=True, slots=True)
class Check:
    """A condition on the low 32 bits of an argument (0 to 5) of a call.

    `one_of`: it is one of the values; `none_of`: it has none of these bits; `any_of`: it has one of these bits.
    """

    argument: int
    kind: Literal["one_of", "none_of", "any_of"]
    values: tuple[int, ...]


_PROT_EXEC = 4
_CLONE_THREAD = 0x00010000
_THREAD_FLAGS = 0x007D0F00
"""What C libraries ask for when they make a thread. No namespace, no `CLONE_VFORK`, no `CLONE_PTRACE` is in it."""
_F_DUPFD, _F_GETFD, _F_SETFD, _F_GETFL, _F_DUPFD_CLOEXEC = 0, 1, 2, 3, 1030
_PR_SET_NAME = 15

LIMITED: Mapping[str, tuple[Numbers, tuple[Check, ...]]] = {
    # no new code
    "mmap": ((9, 222), (Check(2, "none_of", (_PROT_EXEC,)),)),
    "mprotect": ((10, 226), (Check(2, "none_of", (_PROT_EXEC,)),)),
    # threads, and no processes
    "clone": (
        (56, 220),
        (Check(0, "none_of", (~_THREAD_FLAGS & 0xFFFFFFFF,)), Check(0, "any_of", (_CLONE_THREAD,))),
    ),
    # no signals, leases, locks or seals
    "fcntl": ((72, 25), (Check(1, "one_of", (_F_DUPFD, _F_GETFD, _F_SETFD, _F_GETFL, _F_DUPFD_CLOEXEC)),)),
    # of itself only
    "sched_getaffinity": ((204, 123), (Check(0, "one_of", (0,)),)),
    "prctl": ((157, 167), (Check(0, "one_of", (_PR_SET_NAME,)),)),
}
"""Calls that pass if all conditions on their arguments hold; otherwise they fail with EPERM."""

ABSENT: Mapping[str, Numbers] = {
    "clone3": (435, 435), "statx": (332, 291), "membarrier": (324, 283), "futex_waitv": (449, 449),
}  # fmt: skip
"""Calls that fail with ENOSYS, as if the kernel did not have them: the C library then uses others.

`clone3` hides its flags behind a pointer that a filter cannot follow; those of `clone` are in sight.
"""

DEADLY: Mapping[str, Numbers] = {
    "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "process_madvise": (440, 440), "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "unshare": (272, 97),
    "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432),
    "mount_setattr": (442, 442), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None),
}  # fmt: skip
"""Calls that end the process: no library of the child makes them."""

_X32_BIT = 0x40000000
"""Numbers from here up are x86's second table of the same calls (`asm/unistd_x32.h`)."""

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _ARGUMENT_BYTES = 0, 4, 16, 8
"""Offsets into `struct seccomp_data`; arguments are 64 bits, of which the low half comes first."""
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

_NEXT = 0
_ENDINGS: Mapping[str, int] = {
    "deadly": _KILL_PROCESS,
    "absent": _ERRNO | errno.ENOSYS,
    "denied": _ERRNO | errno.EPERM,
    "allowed": _ALLOW,
}

_Target = str | int
"""Where a jump goes: the name of an ending, or how many instructions to skip."""
_Step = tuple[int, int, _Target, _Target]
"""An instruction before its jumps are counted: code, operand, where to go if true, if false."""


def seccomp_filter(machine: str | None = None) -> bytes | None:
    """Return the filter as an array of `struct sock_filter`, or None where we know of none.

    machine: a value of `platform.machine()`; by default that of this machine.
    """
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    architecture = _MACHINES.get((machine or platform.machine()).lower())
    if architecture is None:
        return None
    return _assemble(_steps(architecture))


def _steps(architecture: int) -> Sequence[_Step]:
    """Write the filter. Calls of another architecture end the process; what no table names is denied."""
    steps: list[_Step] = [
        (_LOAD, _ARCHITECTURE, _NEXT, _NEXT),
        (_IF_EQUAL, _AUDIT_ARCH[architecture], _NEXT, "deadly"),
        (_LOAD, _NUMBER, _NEXT, _NEXT),
        (_IF_AT_LEAST, _X32_BIT, "denied", _NEXT),
    ]
    for calls, ending in ((ALLOWED, "allowed"), (ABSENT, "absent"), (DEADLY, "deadly")):
        numbers = (pair[architecture] for pair in calls.values())
        steps += [(_IF_EQUAL, number, ending, _NEXT) for number in numbers if number is not None]
    for pair, checks in LIMITED.values():
        number = pair[architecture]
        if number is not None:
            guarded = [step for check in checks for step in _check(check)]
            steps += [(_IF_EQUAL, number, _NEXT, len(guarded) + 1), *guarded, _always("allowed")]
    return [*steps, _always("denied")]


def _check(check: Check) -> Iterator[_Step]:
    """Write one condition: go on after it if it holds, or else deny."""
    yield (_LOAD, _FIRST_ARGUMENT + _ARGUMENT_BYTES * check.argument, _NEXT, _NEXT)
    match check.kind:
        case "none_of":
            yield (_IF_ANY_BIT, sum(check.values), "denied", _NEXT)
        case "any_of":
            yield (_IF_ANY_BIT, sum(check.values), _NEXT, "denied")
        case "one_of":
            left = len(check.values)
            for value in check.values:
                left -= 1
                yield (_IF_EQUAL, value, left, _NEXT if left else "denied")


def _always(ending: str) -> _Step:
    """Write a jump that does not depend on anything."""
    return (_IF_AT_LEAST, 0, ending, ending)


def _assemble(steps: Sequence[_Step]) -> bytes:
    """Count the jumps, which are relative and forward only, and pack `struct sock_filter` after another."""
    place = {ending: len(steps) + at for at, ending in enumerate(_ENDINGS)}
    packed = bytearray()
    for at, (code, operand, if_true, if_false) in enumerate(steps):
        jumps = (
            target if isinstance(target, int) else place[target] - at - 1 for target in (if_true, if_false)
        )
        packed += struct.pack("=HBBI", code, *jumps, operand)
    for action in _ENDINGS.values():
        packed += struct.pack("=HBBI", _RETURN, 0, 0, action)
    return bytes(packed)
