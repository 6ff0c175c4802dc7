"""The filter programs of both machines, judged without running them: an interpreter answers for the kernel.

The interpreter is that of classic BPF as seccomp(2) uses it: an accumulator, loads from the call's data, jumps ahead.
"""

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.box.calls import FIRST_PID, Rule, in_namespaces, with_paths, without_paths
from bus.box.seccomp import Instruction, assemble
from bus.box.syscalls import MACHINES, Machine, machine_named

ALLOWED, EPERM, ENOSYS, KILLED = "allowed", "EPERM", "ENOSYS", "killed"
OWN_PID = 4711
HEADERS = {
    "x86_64": [Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm/unistd_64.h")],
    "aarch64": [Path("/usr/include/asm-generic/unistd.h")],
}
JUDGED = {"mmap", "mprotect", "clone", "tgkill", "prlimit64", "sendto", "setsockopt", "fcntl", "ioctl", "prctl"}
PATHS = {"unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "open", "openat"}
FORBIDDEN = {
    "x86_64": {
        "socket": 41, "connect": 42, "sendmsg": 46, "recvmsg": 47, "shutdown": 48, "bind": 49, "listen": 50,
        "socketpair": 53, "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "truncate": 76, "chdir": 80, "link": 86,
        "symlink": 88, "readlink": 89, "chmod": 90, "chown": 92, "access": 21, "shmget": 29, "msgget": 68, "semget": 64,
        "ptrace": 101,
        "statfs": 137, "personality": 135, "chroot": 161, "mount": 165, "setxattr": 188, "mq_open": 240, "keyctl": 250,
        "inotify_init1": 294, "unshare": 272, "perf_event_open": 298, "name_to_handle_at": 303, "setns": 308,
        "open_by_handle_at": 304, "process_vm_readv": 310, "kcmp": 312, "seccomp": 317, "memfd_create": 319, "bpf": 321,
        "execveat": 322, "userfaultfd": 323, "pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_open": 434,
        "openat2": 437, "pidfd_getfd": 438, "landlock_create_ruleset": 444, "landlock_restrict_self": 446,
    },
    "aarch64": {
        "setxattr": 5, "inotify_init1": 26, "mknodat": 33, "symlinkat": 36, "linkat": 37, "mount": 40, "statfs": 43,
        "truncate": 45, "faccessat": 48, "chdir": 49, "chroot": 51, "fchmodat": 53, "fchownat": 54, "readlinkat": 78,
        "utimensat": 88, "unshare": 97, "personality": 92, "ptrace": 117, "kill": 129, "rt_sigqueueinfo": 138,
        "mq_open": 180, "msgget": 186, "semget": 190, "shmget": 194, "socket": 198, "socketpair": 199, "bind": 200,
        "listen": 201, "connect": 203, "shutdown": 210, "sendmsg": 211, "recvmsg": 212, "keyctl": 219, "execve": 221,
        "perf_event_open": 241, "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268,
        "process_vm_readv": 270, "kcmp": 272, "seccomp": 277, "memfd_create": 279, "bpf": 280, "execveat": 281,
        "userfaultfd": 282, "pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_open": 434, "openat2": 437,
        "pidfd_getfd": 438, "landlock_create_ruleset": 444, "landlock_restrict_self": 446,
    },
}  # fmt: skip
"""Numbers written down a second time, apart from the tables."""
KEYS = {
    "x86_64": {"add_key": 248, "request_key": 249, "keyctl": 250},
    "aarch64": {"add_key": 217, "request_key": 218, "keyctl": 219},
}


def judge(program: list[Instruction], arch: int, number: int, arguments: tuple[int, ...] = ()) -> str:
    """The answer of `program` to one call; raises IndexError when it runs off its end."""
    words = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, arch, 0, *words)
    at = accumulator = 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        match code:
            case 0x20:
                accumulator = struct.unpack_from("<I", data, value)[0]
            case 0x54:
                accumulator &= value
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x25:
                at += if_true if accumulator > value else if_false
            case 0x06:
                return {0x7FFF0000: ALLOWED, 0x50001: EPERM, 0x50026: ENOSYS, 0x80000000: KILLED}.get(value, hex(value))
            case _:
                raise AssertionError(f"instruction {code:#x} is not one that the kernel takes here")


def program_of(machine: Machine, rules: list[Rule]) -> list[Instruction]:
    return assemble(rules, machine)


@pytest.fixture(params=MACHINES, ids=lambda machine: machine.name)
def machine(request: pytest.FixtureRequest) -> Machine:
    found: Machine = request.param
    return found


@pytest.fixture(params=[with_paths, without_paths], ids=lambda make: make.__name__)
def rules(request: pytest.FixtureRequest) -> list[Rule]:
    found: list[Rule] = request.param(OWN_PID)
    return found


def test_no_number_stands_for_two_calls(machine: Machine) -> None:
    assert len(set(machine.numbers.values())) == len(machine.numbers)


def test_the_numbers_are_those_of_the_kernel(machine: Machine) -> None:
    header = next((path for path in HEADERS[machine.name] if path.is_file()), None)
    if header is None:
        pytest.skip("the kernel's headers are not installed (linux-libc-dev)")
    text = header.read_text()
    official = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\s", text)}
    if "fstatat" in official:
        official["newfstatat"] = official["fstatat"]

    assert {name: official.get(name) for name in machine.numbers} == dict(machine.numbers)


def test_every_rule_is_about_a_call_that_some_machine_has(rules: list[Rule]) -> None:
    known = {name for machine in MACHINES for name in machine.numbers}

    assert {rule.name for rule in rules} <= known


def test_no_call_has_two_rules(rules: list[Rule]) -> None:
    assert len({rule.name for rule in rules}) == len(rules)


def test_what_is_not_named_is_refused(machine: Machine, rules: list[Rule]) -> None:
    program = program_of(machine, rules)
    named = {machine.numbers[rule.name] for rule in rules if rule.name in machine.numbers}

    answers = {number: judge(program, machine.audit_arch, number) for number in range(601) if number not in named}

    assert answers.pop(435) == ENOSYS
    assert {answer for number, answer in answers.items() if number <= 450} == {EPERM}
    assert {answer for number, answer in answers.items() if number > 450} == {ENOSYS}


def test_what_is_named_and_not_judged_by_argument_is_allowed_with_any(machine: Machine, rules: list[Rule]) -> None:
    program = program_of(machine, rules)
    plain = [rule.name for rule in rules if rule.name in machine.numbers and not rule.alternatives]
    pretended = {"sched_getparam", "sched_getscheduler", "sched_setscheduler"}

    for words in ((0,) * 6, (2**64 - 1,) * 6):
        answers = {name: judge(program, machine.audit_arch, machine.numbers[name], words) for name in plain}
        assert {name for name, answer in answers.items() if answer == hex(0x50000)} == pretended
        assert {answer for name, answer in answers.items() if name not in pretended} == {ALLOWED}


def test_a_call_that_reaches_others_is_refused_with_any_arguments(machine: Machine, rules: list[Rule]) -> None:
    program = program_of(machine, rules)

    for words in ((0,) * 6, (1,) * 6, (OWN_PID,) * 6, (2**64 - 1,) * 6):
        answers = {
            name: judge(program, machine.audit_arch, number, words) for name, number in FORBIDDEN[machine.name].items()
        }
        assert {name: answer for name, answer in answers.items() if answer != EPERM} == {}


def test_in_namespaces_a_program_can_start_and_reaches_nothing_that_knows_no_namespace(machine: Machine) -> None:
    program = program_of(machine, in_namespaces())

    for words in ((0,) * 6, (1,) * 6, (2**64 - 1,) * 6):
        calls = (FORBIDDEN[machine.name] | KEYS[machine.name]).items()
        answers = {name: judge(program, machine.audit_arch, number, words) for name, number in calls}
        assert {name for name, answer in answers.items() if answer == ALLOWED} - {"socketpair"} == (
            {"execve", "access", "readlink"} if machine.name == "x86_64" else {"execve", "faccessat", "readlinkat"}
        )
    answer = [judge(program, machine.audit_arch, machine.numbers["socketpair"], (family,)) for family in (1, 40)]
    assert answer == [ALLOWED, EPERM]
    answer = [judge(program, machine.audit_arch, machine.numbers["clone"], (flags,)) for flags in (17, 1 << 28)]
    assert answer == [ALLOWED, EPERM]
    assert judge(program, machine.audit_arch, machine.numbers["tgkill"], (FIRST_PID + 1, 1, 6)) == EPERM


def test_paths_are_for_the_filter_beside_landlock_alone(machine: Machine) -> None:
    opened, closed = program_of(machine, with_paths(OWN_PID)), program_of(machine, without_paths(OWN_PID))
    numbers = [machine.numbers[name] for name in sorted(PATHS) if name in machine.numbers]

    assert {judge(opened, machine.audit_arch, number) for number in numbers} == {ALLOWED}
    assert {judge(closed, machine.audit_arch, number) for number in numbers} == {EPERM}


@pytest.mark.parametrize("number", [0, 39, 59, 435, 600])
def test_a_call_of_another_convention_ends_the_process(machine: Machine, rules: list[Rule], number: int) -> None:
    program = program_of(machine, rules)

    for arch in (0x40000003, 0x40000028, *(other.audit_arch for other in MACHINES if other is not machine)):
        assert judge(program, arch, number) == KILLED
    if machine.foreign_bit:
        assert judge(program, machine.audit_arch, machine.foreign_bit | number) == KILLED


@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        ("clone", (0x3D0F00,), ALLOWED),  # what libc passes for a thread
        ("clone", (0x01200011,), EPERM),  # what libc passes for fork
        ("clone", (0x00010000,), EPERM),  # no memory in common
        ("clone", (0x10010100,), EPERM),  # with a user namespace
        ("tgkill", (OWN_PID, 1, 6), ALLOWED),
        ("tgkill", (OWN_PID + 1, 1, 6), EPERM),
        ("prlimit64", (0, 7, 0, 1), ALLOWED),
        ("prlimit64", (0, 7, 1, 0), EPERM),
        ("prlimit64", (0, 7, 1 << 32, 0), EPERM),
        ("prlimit64", (OWN_PID + 1, 7, 0, 1), EPERM),
        ("sendto", (3, 1, 1, 0, 0), ALLOWED),
        ("sendto", (3, 1, 1, 0, 1), EPERM),
        ("sendto", (3, 1, 1, 0, 1 << 32), EPERM),
        ("setsockopt", (3, 1, 7), ALLOWED),
        ("setsockopt", (3, 0, 7), EPERM),
        ("mmap", (0, 4096, 3), ALLOWED),
        ("mmap", (0, 4096, 7), EPERM),
        ("mprotect", (0, 4096, 4), EPERM),
        ("fcntl", (3, 4), ALLOWED),
        ("fcntl", (3, 8), EPERM),  # F_SETOWN
        ("fcntl", (3, 15), EPERM),  # F_SETOWN_EX
        ("ioctl", (0, 0x5401), ALLOWED),
        ("ioctl", (0, 0x5412), EPERM),  # TIOCSTI
        ("prctl", (15,), ALLOWED),
        ("prctl", (22,), EPERM),  # PR_SET_SECCOMP
        ("openat", (0, 0, 0o1101), ALLOWED),  # write, make, cut
        ("openat", (0, 0, 0o1002), ALLOWED),  # read and write, cut
        ("openat", (0, 0, 0o1000), EPERM),  # read and cut
    ],
)
def test_what_depends_on_arguments_is_judged_by_them(
    machine: Machine, name: str, arguments: tuple[int, ...], answer: str
) -> None:
    program = program_of(machine, with_paths(OWN_PID))

    assert judge(program, machine.audit_arch, machine.numbers[name], arguments) == answer


@given(number=st.integers(0, 600), words=st.tuples(*[st.integers(0, 2**64 - 1)] * 6))
def test_nothing_but_what_is_named_is_ever_allowed(number: int, words: tuple[int, ...]) -> None:
    for machine in MACHINES:
        for rules in (with_paths(OWN_PID), without_paths(OWN_PID)):
            names = {machine.numbers.get(rule.name) for rule in rules}
            answer = judge(program_of(machine, rules), machine.audit_arch, number, words)
            assert answer != KILLED
            assert answer != ALLOWED or number in names


@pytest.mark.parametrize("name", sorted(JUDGED))
def test_a_call_that_is_judged_is_not_allowed_with_everything(machine: Machine, name: str) -> None:
    program = program_of(machine, without_paths(OWN_PID))

    assert judge(program, machine.audit_arch, machine.numbers[name], (2**64 - 1,) * 6) == EPERM


def test_a_machine_without_a_table_is_refused_by_name() -> None:
    from bus.box.errors import BoxError

    with pytest.raises(BoxError, match="riscv64"):
        machine_named("riscv64")
