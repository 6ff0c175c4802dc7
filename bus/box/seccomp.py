"""System call filters: rules become a program for the kernel's filter machine, which then judges every call.

In: rules and a machine. Out: a program, to be installed by whoever starts another process, or its installation in all
threads of this process at once, for good. Calls
that no rule names get EPERM; clone3, whose flags a filter cannot see, and calls newer than the tables get ENOSYS, so
that libraries fall back to what can be judged; a call of another convention (32 bit, x32) ends the process
(seccomp(2)).
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from bus.box.calls import Rule, Test
from bus.box.errors import BoxError
from bus.box.syscalls import NEWEST_KNOWN, Machine, machine_named

LOAD: Final = 0x20
AND: Final = 0x54
IF_EQUAL: Final = 0x15
IF_ABOVE: Final = 0x25
RETURN: Final = 0x06
ALLOW: Final = 0x7FFF0000
ERRNO: Final = 0x00050000
KILL_PROCESS: Final = 0x80000000
NUMBER_AT: Final = 0
ARCH_AT: Final = 4
ARGUMENTS_AT: Final = 16
MOST_INSTRUCTIONS: Final = 4096
INSTRUCTION_BYTES: Final = 8

PR_GET_SECCOMP: Final = 21
PR_SET_NO_NEW_PRIVS: Final = 38
PR_GET_NO_NEW_PRIVS: Final = 39
MODE_FILTER: Final = 2
SET_MODE_FILTER: Final = 1
GET_ACTION_AVAIL: Final = 2
FLAG_TSYNC: Final = 1

_libc = ctypes.CDLL(None, use_errno=True)


class Instruction(NamedTuple):
    """One step of the filter machine."""

    code: int
    if_true: int
    if_false: int
    value: int


def _refuse(number: int) -> Instruction:
    return Instruction(RETURN, 0, 0, ERRNO | number)


_ALLOW: Final = Instruction(RETURN, 0, 0, ALLOW)
_KILL: Final = Instruction(RETURN, 0, 0, KILL_PROCESS)


def assemble(rules: Iterable[Rule], machine: Machine) -> list[Instruction]:
    """The program that enforces `rules` on `machine`; rules about calls that it does not have are left out."""
    program = [
        Instruction(LOAD, 0, 0, ARCH_AT),
        Instruction(IF_EQUAL, 1, 0, machine.audit_arch),
        _KILL,
        Instruction(LOAD, 0, 0, NUMBER_AT),
    ]
    if machine.foreign_bit:
        program += [Instruction(IF_ABOVE, 0, 1, machine.foreign_bit - 1), _KILL]
    program += [Instruction(IF_ABOVE, 0, 1, NEWEST_KNOWN), _refuse(errno.ENOSYS)]
    program += [Instruction(IF_EQUAL, 0, 1, machine.numbers["clone3"]), _refuse(errno.ENOSYS)]
    for rule in rules:
        number = machine.numbers.get(rule.name)
        if number is not None:
            block = _judgement(rule)
            program += [Instruction(IF_EQUAL, 0, len(block), number), *block]
    program.append(_refuse(errno.EPERM))
    return program


def _judgement(rule: Rule) -> list[Instruction]:
    """What is done with the call of `rule`; every way through ends in an answer."""
    if rule.is_pretended:
        return [_refuse(0)]
    if not rule.alternatives:
        return [_ALLOW]
    block = [instruction for tests in rule.alternatives for instruction in _alternative(tests)]
    return [*block, _refuse(errno.EPERM)]


def _alternative(tests: Sequence[Test]) -> list[Instruction]:
    """Allow when all tests hold, else fall through to what comes after."""
    block = [_ALLOW]
    for test in reversed(tests):
        for load in reversed(_loads(test)):
            block = [*load, Instruction(IF_EQUAL, 0, len(block), test.value), *block]
    return block


def _loads(test: Test) -> list[list[Instruction]]:
    """The words that a test compares with its value: the low one, of a wide argument the high one too."""
    at = ARGUMENTS_AT + 8 * test.argument
    if test.wide:
        return [[Instruction(LOAD, 0, 0, at)], [Instruction(LOAD, 0, 0, at + 4)]]
    mask = [] if test.mask == 0xFFFFFFFF else [Instruction(AND, 0, 0, test.mask)]
    return [[Instruction(LOAD, 0, 0, at), *mask]]


def missing() -> str | None:
    """What keeps this machine from filtering calls; None when nothing does. Asks without changing anything."""
    try:
        number = machine_named().numbers["seccomp"]
    except BoxError as error:
        return str(error)
    action = ctypes.c_uint32(ERRNO)
    if _libc.syscall(number, GET_ACTION_AVAIL, 0, ctypes.byref(action)) != 0:
        return f"the kernel filters no system calls: {os.strerror(ctypes.get_errno())}"
    return None


def is_enforced() -> bool:
    """Whether a filter judges the calls of this thread, and no program that it starts may have more rights."""
    mode, is_bound = _libc.prctl(PR_GET_SECCOMP, 0, 0, 0, 0), _libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
    return bool(mode == MODE_FILTER and is_bound == 1)


def forbid_new_privileges() -> None:
    """Let no program that is started later have more rights than this process: what both kernel layers ask for."""
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise BoxError(f"the kernel does not give up new privileges: {os.strerror(ctypes.get_errno())}")


def code_of(rules: Iterable[Rule]) -> bytes:
    """The program that enforces `rules` on this machine, as the kernel takes it; raises BoxError."""
    program = assemble(rules, machine_named())
    if len(program) > MOST_INSTRUCTIONS:
        raise BoxError(f"the filter has {len(program)} instructions, the kernel takes {MOST_INSTRUCTIONS}")
    return b"".join(struct.pack("=HBBI", *each) for each in program)


def install(rules: Iterable[Rule]) -> None:
    """Judge every call of every thread of this process from now on; raises BoxError, with nothing installed."""
    machine = machine_named()
    program = code_of(rules)
    code = ctypes.create_string_buffer(program)
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program) // INSTRUCTION_BYTES, ctypes.addressof(code)))
    answer = int(_libc.syscall(machine.numbers["seccomp"], SET_MODE_FILTER, FLAG_TSYNC, header))
    if answer > 0:
        raise BoxError(f"thread {answer} has a filter of its own and cannot take the filter of the box")
    if answer < 0:
        raise BoxError(f"the kernel does not take the filter: {os.strerror(ctypes.get_errno())}")
