# SPDX-License-Identifier: MIT
"""Runs a program under the system call filter of a systemd unit: seccomp_exec.py UNIT PROGRAM ARGUMENT...

What the filter forbids kills the program (SIGSYS) instead of failing with EPERM, so that no forbidden call goes unnoticed.
The groups of calls are those of 'systemd-analyze syscall-filter', the numbers those of the kernel's header.
"""
import ctypes
import os
import pathlib
import re
import struct
import subprocess
import sys

HEADERS = {"x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"}
AUDIT_ARCH = {"x86_64": 0xC000003E}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
KILL, ALLOW = 0x80000000, 0x7FFF0000
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06


def group(name, seen=()):
    """All calls of a group such as @system-service."""
    done = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    calls = set()
    for line in done.stdout.splitlines()[1:]:
        item = line.strip()
        if item.startswith("@") and item not in seen:
            calls |= group(item, (*seen, name))
        elif item and not item.startswith(("@", "#")):
            calls.add(item)
    return calls


def allowed_calls(unit):
    """SystemCallFilter= lines in order: the first one opens the list, ~ takes away."""
    allowed = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", pathlib.Path(unit).read_text(), re.MULTILINE):
        remove = value.startswith("~")
        for item in value.lstrip("~").split():
            calls = group(item) if item.startswith("@") else {item}
            allowed = allowed - calls if remove else allowed | calls
    return allowed | group("@default") | {"execve"}  # which systemd itself needs to start the program


def filter_program(machine, numbers):
    """BPF: another architecture or an unknown number is the end."""
    rows = [(LOAD, 0, 0, 4), (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    for number in sorted(numbers):
        rows += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    rows.append((RETURN, 0, 0, KILL))
    return b"".join(struct.pack("<HBBI", *row) for row in rows), len(rows)


def install(machine, names):
    header = pathlib.Path(HEADERS[machine]).read_text()
    numbers = {name: int(n) for name, n in re.findall(r"^#define __NR_(\w+)\s+(\d+)", header, re.MULTILINE)}
    code, count = filter_program(machine, [numbers[n] for n in names if n in numbers])
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(count, ctypes.addressof(buffer))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or \
            libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        sys.exit(f"seccomp_exec: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    names = allowed_calls(sys.argv[1])
    install(os.uname().machine, names)
    os.execv(sys.argv[2], sys.argv[2:])
