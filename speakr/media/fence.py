"""A seccomp filter with the system calls that a decoder of untrusted bytes may not make.

The filter is made here, by the parent, and installed by the child (`child.py`) once its libraries are
loaded and before it looks at the first untrusted byte. From then on it can read and write what it already
holds, allocate memory and run threads; it can open no file, reach no network, start no program and touch
no other process.

Sources: Linux `Documentation/userspace-api/seccomp_filter.rst`; numbers from the kernel's
`arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h` (aarch64).
"""

from __future__ import annotations

import errno
import platform
import struct
import sys
from collections.abc import Mapping, Sequence

_X86_64, _AARCH64 = 0, 1
_AUDIT_ARCH = (0xC000003E, 0xC00000B7)
_MACHINES: Mapping[str, int] = {"x86_64": _X86_64, "amd64": _X86_64, "aarch64": _AARCH64, "arm64": _AARCH64}

FORBIDDEN: Mapping[str, tuple[int | None, int | None]] = {
    # files, by name: what the child may use it already holds open
    "open": (2, None), "creat": (85, None), "openat": (257, 56), "openat2": (437, 437),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "memfd_create": (319, 279),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "link": (86, None),
    "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36), "unlink": (87, None),
    "unlinkat": (263, 35), "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None),
    "mknod": (133, None), "mknodat": (259, 33), "truncate": (76, 45), "chmod": (90, None),
    "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, None), "fchown": (93, 55),
    "lchown": (94, None), "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    # network and other communication
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242), "sendto": (44, 206),
    "sendmsg": (46, 211), "sendmmsg": (307, 269), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180),
    # asynchronous calls, which this filter could not see
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_setup": (206, 0),
    # other programs and processes
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "kcmp": (312, 272), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "kill": (62, 129), "tkill": (200, 130),
    "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    # the filter and the limits themselves
    "setrlimit": (160, 164), "prlimit64": (302, 261), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432),
    "mount_setattr": (442, 442), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104),
    "reboot": (169, 142), "settimeofday": (164, 170), "clock_settime": (227, 112), "ioperm": (173, None),
    "iopl": (172, None),
}  # fmt: skip
"""Call -> its number on x86_64 and on aarch64. `clone` is not here: threads may use it."""

_CLONE, _CLONE3 = (56, 220), 435
_CLONE_THREAD = 0x00010000
_X32_BIT = 0x40000000
"""Numbers from here up are x86's second table of the same calls (`asm/unistd_x32.h`)."""

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets into `struct seccomp_data`; arguments are 64 bits, of which the low half comes first."""
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000

_NEXT = "next"
_ENDINGS: Mapping[str, int] = {
    "foreign": _KILL_PROCESS,
    "absent": _ERRNO | errno.ENOSYS,
    "denied": _ERRNO | errno.EPERM,
    "allowed": _ALLOW,
}

_Step = tuple[int, int, str, str]
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
    """Write the filter: foreign architectures die, forbidden calls fail with EPERM, all else passes.

    `clone3` hides its flags behind a pointer that a filter cannot follow. It is answered as if the kernel
    did not have it, so that the C library asks for its threads through `clone`, whose flags are in sight.
    """
    numbers = sorted(number for pair in FORBIDDEN.values() if (number := pair[architecture]) is not None)
    return [
        (_LOAD, _ARCHITECTURE, _NEXT, _NEXT),
        (_IF_EQUAL, _AUDIT_ARCH[architecture], _NEXT, "foreign"),
        (_LOAD, _NUMBER, _NEXT, _NEXT),
        (_IF_AT_LEAST, _X32_BIT, "denied", _NEXT),
        *((_IF_EQUAL, number, "denied", _NEXT) for number in numbers),
        (_IF_EQUAL, _CLONE3, "absent", _NEXT),
        (_IF_EQUAL, _CLONE[architecture], _NEXT, "allowed"),
        (_LOAD, _FIRST_ARGUMENT, _NEXT, _NEXT),
        (_IF_ANY_BIT, _CLONE_THREAD, "allowed", "denied"),
    ]


def _assemble(steps: Sequence[_Step]) -> bytes:
    """Count the jumps, which are relative and forward only, and pack `struct sock_filter` after another."""
    place = {ending: len(steps) + at for at, ending in enumerate(_ENDINGS)}
    packed = bytearray()
    for at, (code, operand, if_true, if_false) in enumerate(steps):
        jumps = (0 if target == _NEXT else place[target] - at - 1 for target in (if_true, if_false))
        packed += struct.pack("=HBBI", code, *jumps, operand)
    for action in _ENDINGS.values():
        packed += struct.pack("=HBBI", _RETURN, 0, 0, action)
    return bytes(packed)
