"""A process in namespaces of its own: what it sees, what it is told, how it ends (design, section 3)."""

import os
import platform
import select
import signal
import sys
from pathlib import Path

import pytest

from bus.box import seccomp
from bus.box.ladder import can_disable_user_namespaces, offer_of
from bus.box.profiles import Walls
from schemas.manifest import RunManifest, Seat
from supervisor import bubblewrap
from supervisor.bubblewrap import BoxedChild, Start, boxed_command, program_folders, start_boxed, view_of
from supervisor.probe.kernel_doors import SEARCH_KEY, SESSION_KEYRING
from supervisor.probe.system_calls import NUMBERS, call
from supervisor.probe.world import GET_KEYRING, UNLINK_KEY

pytestmark = pytest.mark.skipif(not offer_of("bwrap").is_available, reason="bwrap can make no namespaces here")

PATIENCE_S = 20.0
PROGRAM = """
import os, signal, sys
from pathlib import Path

def stop(*_):
    print("stopping in order", flush=True)
    sys.exit(int(sys.argv[1]))

signal.signal(signal.SIGTERM, stop)
exec(sys.argv[2])
"""


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Start `PROGRAM` in a box: its exit code at SIGTERM, a text that it runs, descriptors."""
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "inmate.py").write_text(PROGRAM)
    (tmp_path / "own").mkdir()
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "secret").write_text("what nobody may know")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "programs"))
    started: list[BoxedChild] = []

    def start(code: int, body: str, *handed: int, has_filter: bool = True) -> BoxedChild:
        view = Walls(reads=(tmp_path / "programs",), writes=(tmp_path / "own",))
        inmate = Start("inmate", [str(code), body], tmp_path, tmp_path / "inmate.log", tuple(handed), has_filter)
        child = start_boxed(inmate, view)
        started.append(child)
        return child

    yield start
    for child in started:
        if not child.has_ended():
            child.kill_group()
        child.reap()


def end_of(child: BoxedChild) -> int:
    """The exit status of `child`, once it has ended."""
    watched = os.pidfd_open(child.pid)
    ended, _, _ = select.select([watched], [], [], PATIENCE_S)
    os.close(watched)
    assert ended, "it did not end"
    return child.reap()


def test_it_sees_its_folder_and_nothing_else_of_the_home(begin, tmp_path: Path) -> None:
    body = "print(sorted(os.listdir()), sorted(p for p in os.listdir('/proc') if p.isdigit()))"

    status = end_of(begin(0, body))

    assert (tmp_path / "inmate.log").read_text() == "['own', 'programs'] ['1']\n"
    assert status == 0


def test_it_can_write_in_its_folder_and_not_where_it_reads(begin, tmp_path: Path) -> None:
    body = """
Path("own/dream").write_text("blue")
try:
    Path("programs/mine").write_text("x")
except OSError as error:
    print(error.strerror)
"""
    end_of(begin(0, body))

    assert (tmp_path / "own" / "dream").read_text() == "blue"
    assert (tmp_path / "inmate.log").read_text() == "Read-only file system\n"


def test_it_has_no_network(begin, tmp_path: Path) -> None:
    body = "import socket; print([name for _, name in socket.if_nameindex()])"

    end_of(begin(0, body, has_filter=False))

    assert (tmp_path / "inmate.log").read_text() == "['lo']\n"


@pytest.mark.skipif(seccomp.missing() is not None, reason="the kernel filters no calls")
def test_its_calls_are_filtered_where_the_kernel_can(begin, tmp_path: Path) -> None:
    body = """
import socket
print([line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Seccomp:")])
for family in (socket.AF_VSOCK, socket.AF_INET):
    try:
        socket.socket(family)
    except PermissionError:
        print("refused")
"""
    end_of(begin(0, body))

    assert (tmp_path / "inmate.log").read_text() == "['Seccomp:\\t2']\nrefused\nrefused\n"


def test_it_makes_no_user_namespace_of_its_own(begin, tmp_path: Path) -> None:
    if not can_disable_user_namespaces():
        pytest.skip("this bwrap cannot keep it from that")
    body = """
import ctypes
print(ctypes.CDLL(None).unshare(0x10000000))
"""
    end_of(begin(0, body, has_filter=False))

    assert (tmp_path / "inmate.log").read_text() == "-1\n"


@pytest.mark.parametrize("has_filter", [False, True])
def test_it_shares_no_session_keyring(begin, tmp_path: Path, has_filter: bool) -> None:
    if has_filter and seccomp.missing() is not None:
        pytest.skip("the kernel filters no calls")
    name = f"oneiros-test-{os.getpid()}".encode()
    try:
        call("keyctl", GET_KEYRING, SESSION_KEYRING, 1)
        key = call("add_key", b"user", name, b"a hint", 6, SESSION_KEYRING)
    except OSError as error:
        pytest.skip(f"no keyring here: {error}")
    numbers = NUMBERS[platform.machine()]
    body = f"""
import ctypes
libc = ctypes.CDLL(None)
print(libc.syscall({numbers["keyctl"]}, {SEARCH_KEY}, {SESSION_KEYRING}, b"user", {name!r}, 0))
libc.syscall({numbers["add_key"]}, b"user", {name + b"-inside"!r}, b"a word", 6, {SESSION_KEYRING})
"""
    try:
        end_of(begin(0, body, has_filter=has_filter))

        assert (tmp_path / "inmate.log").read_text() == "-1\n"
        with pytest.raises(OSError, match="not available"):
            call("keyctl", SEARCH_KEY, SESSION_KEYRING, b"user", name + b"-inside", 0)
    finally:
        call("keyctl", UNLINK_KEY, key, SESSION_KEYRING)


def test_libraries_are_shown_wherever_they_are_found_and_private_folders_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("libraries", "user/.local/lib", "state/journal"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "packed.zip").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    names = ("libraries", "packed.zip", "user/.local/lib", "user", "state", "missing", ".")
    searched = ["", "relative", str(Path(bubblewrap.__file__).parents[1]), *(str(tmp_path / name) for name in names)]

    shown = program_folders(searched, (tmp_path / "state/journal",))

    ours = {path for path in shown if path.is_relative_to(tmp_path)}
    assert ours == {tmp_path / "libraries", tmp_path / "packed.zip", tmp_path / "user/.local/lib"}
    assert Path(bubblewrap.__file__).parents[1] not in shown


def test_it_can_import_what_an_actor_imports_and_nothing_of_the_supervisor(begin, tmp_path: Path) -> None:
    body = """
import actors.dreamer.core, bus.host
try:
    import supervisor.cli
except ImportError:
    print("no supervisor here")
"""
    end_of(begin(0, body))

    assert (tmp_path / "inmate.log").read_text() == "no supervisor here\n"


@pytest.mark.parametrize("code", [0, 70, 75, 78])
def test_an_order_to_stop_reaches_it_and_its_exit_status_comes_out(begin, tmp_path: Path, code: int) -> None:
    reader, writer = os.pipe()
    child = begin(code, f"os.write({writer}, b'up')\nwhile True: signal.pause()", writer)
    os.close(writer)
    os.read(reader, 2)

    child.signal(signal.SIGTERM)

    assert end_of(child) == code
    assert (tmp_path / "inmate.log").read_text() == "stopping in order\n"
    os.close(reader)


def test_being_killed_inside_is_told_as_a_signal(begin) -> None:
    child = begin(0, "while True: signal.pause()")

    child.signal(signal.SIGKILL)

    assert end_of(child) == -signal.SIGKILL


def test_an_order_to_stop_ends_it_while_it_is_still_starting(begin) -> None:
    reader, writer = os.pipe()
    body = f"signal.signal(signal.SIGTERM, signal.SIG_DFL); os.write({writer}, b'up')\nwhile True: signal.pause()"
    child = begin(0, body, writer)
    os.close(writer)
    os.read(reader, 2)

    child.signal(signal.SIGTERM)

    assert end_of(child) == -signal.SIGKILL
    os.close(reader)


def test_it_goes_with_its_group(begin) -> None:
    child = begin(0, "while True: signal.pause()")
    inner = os.pidfd_open(child.inner_pid)

    child.kill_group()

    assert select.select([inner], [], [], PATIENCE_S)[0]
    assert end_of(child) == -signal.SIGKILL
    os.close(inner)


def test_what_it_is_handed_is_open_inside(begin, tmp_path: Path) -> None:
    reader, writer = os.pipe()

    end_of(begin(0, f"os.write({writer}, b'from inside')", writer))

    assert os.read(reader, 99) == b"from inside"
    os.close(reader)
    os.close(writer)


def test_a_signal_to_what_has_ended_does_nothing(begin) -> None:
    child = begin(0, "pass")
    watched = os.pidfd_open(child.pid)
    select.select([watched], [], [], PATIENCE_S)
    os.close(watched)

    child.signal(signal.SIGTERM)

    assert child.has_ended()
    assert child.reap() == 0


def test_a_view_that_is_not_there_ends_it_with_the_reason_in_its_log(tmp_path: Path) -> None:
    missing = Walls(reads=(tmp_path / "missing",))

    child = start_boxed(Start("inmate", [], tmp_path, tmp_path / "inmate.log"), missing)

    assert end_of(child) == 1
    assert str(tmp_path / "missing") in (tmp_path / "inmate.log").read_text()


def test_a_bwrap_that_makes_no_namespaces_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a system where users may make none
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho no permissions >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(OSError, match="bwrap started nothing"):
        start_boxed(Start("inmate", [], tmp_path, tmp_path / "inmate.log"), Walls())

    assert (tmp_path / "inmate.log").read_text() == "no permissions\n"


def test_a_seat_sees_its_journal_its_start_and_its_refusals(tmp_path: Path) -> None:
    seat = Seat(instance="dreamer", role="dreamer")
    facts = RunManifest.model_construct(run_id="run-7", inputs_sha256="abc")

    view = view_of(seat, tmp_path, facts)

    assert view.writes == (tmp_path / "journal/run-7/dreamer", tmp_path / "logs/refusals/dreamer.jsonl")
    assert view.reads == (tmp_path / "runs/run-7/manifest.json", tmp_path / "inputs/abc.msgpack")
    assert all(place.exists() for place in view.writes)


def test_only_the_view_is_writable_and_programs_are_shown(tmp_path: Path) -> None:
    line = boxed_command(["true"], Walls(reads=(tmp_path / "a",), writes=(tmp_path / "b",)), tmp_path, 9)

    shown = {line[at + 1] for at, word in enumerate(line) if word == "--ro-bind"}
    writable = [line[at + 1] for at, word in enumerate(line) if word == "--bind"]

    assert writable == [str(tmp_path / "b")]
    assert {str(tmp_path / "a"), sys.prefix} <= shown
    assert not any(place.endswith("/supervisor") for place in shown)
    assert bubblewrap.PACKAGES == ("actors", "bus", "schemas")
