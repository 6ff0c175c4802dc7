"""What a process in a box can and cannot do, tried for real in processes of their own (design, section 3)."""

import json
import platform
import signal
import subprocess
from pathlib import Path

import pytest

ATTEMPTS = """
def free_socket(family):
    socket.socket(family, socket.SOCK_STREAM).close()

attempts = {
    "read": lambda: secret.read_text(),
    "append": lambda: secret.open("a").close(),
    "make": lambda: (home / "pool" / "mine").write_text("x"),
    "list": lambda: os.listdir(home),
    "list proc": lambda: os.listdir("/proc"),
    "read a process": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "rename": lambda: os.rename(home / "pool" / "renamed", own / "renamed"),
    "remove": lambda: os.unlink(home / "pool" / "removed"),
    "link": lambda: os.link(secret, own / "linked"),
    "symlink": lambda: os.symlink(secret, own / "symlinked"),
    "truncate": lambda: os.truncate(home / "pool" / "cut", 0),
    "cut by reading": lambda: os.close(os.open(home / "pool" / "cut", os.O_RDONLY | os.O_TRUNC)),
    "chmod": lambda: os.chmod(secret, 0o600),
    "utime": lambda: os.utime(secret),
    "readlink": lambda: os.readlink("/proc/self/exe"),
    "access": lambda: libc.access(bytes(secret), os.R_OK) == 0 or fail(),
    "change folder": lambda: os.chdir(own),
    "make a unix socket": lambda: free_socket(socket.AF_UNIX),
    "make a TCP socket": lambda: free_socket(socket.AF_INET),
    "make a pair": lambda: [end.close() for end in socket.socketpair()],
    "fork": lambda: os.waitpid(os.fork() or os._exit(0), 0),
    "start a program": lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    "signal": lambda: os.kill(os.getppid(), 0),
    "send signals by fcntl": lambda: fcntl.fcntl(1, fcntl.F_SETOWN, os.getpid()),
    "see limits of others": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE),
    "change own limits": lambda: libc.setrlimit(resource.RLIMIT_CORE, bytes(16)) == 0 or fail(),
    "memory file": lambda: os.close(os.memfd_create("x")),
    "run written memory": lambda: mmap.mmap(-1, 4096, prot=7).close(),
    "watch": lambda: libc.inotify_init() >= 0 or fail(),
    "pass a descriptor": lambda: socket.send_fds(left, [b"x"], [1]),
}

def fail():
    raise PermissionError(ctypes.get_errno(), "refused")

import fcntl, mmap, resource
left, right = socket.socketpair()
for name in ("renamed", "removed", "cut"):
    (home / "pool" / name).write_text("whole")
CLOSE
told = {}
for name, attempt in attempts.items():
    try:
        attempt()
        told[name] = "through"
    except OSError as error:
        told[name] = errno.errorcode[error.errno]
print(json.dumps(told))
"""
REFUSALS = {"EPERM", "EACCES"}


def told(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_what_reaches_outside_is_refused(imprison, box, house: Path) -> None:
    done = imprison(box, ATTEMPTS.replace("CLOSE", "close_box()"))

    answers = told(done)
    assert {name: answer for name, answer in answers.items() if answer not in REFUSALS} == {}
    assert len(answers) == 30
    assert (house / "pool" / "cut").read_text() == "whole"
    assert sorted(path.name for path in (house / "pool").iterdir()) == ["cut", "removed", "renamed", "secret"]


def test_the_same_gets_through_without_a_box(imprison) -> None:
    # what is refused in a box is refused by the box
    answers = told(imprison(("none", 0), ATTEMPTS.replace("CLOSE", "close_box()")))

    assert {name: answer for name, answer in answers.items() if answer != "through"} == {}


def test_a_path_can_still_be_looked_at(imprison, box) -> None:
    done = imprison(box, "close_box()\nprint(secret.stat().st_size)")

    assert done.stdout.strip() == str(len("what nobody may know"))


def test_files_of_the_own_folder_can_be_used(imprison, box_with_paths, house: Path) -> None:
    body = """
close_box()
with (own / "draft").open("wb") as draft:
    draft.write(b"dream" * 100)
    draft.flush()
    os.fsync(draft.fileno())
    os.ftruncate(draft.fileno(), 5)
os.rename(own / "draft", own / "kept")
(own / "spare").write_text("")
(own / "spare").unlink()
folder = os.open(own, os.O_RDONLY | os.O_DIRECTORY)
os.fsync(folder)
print((own / "kept").read_text(), os.listdir(own))
"""
    done = imprison(box_with_paths, body)

    assert done.stdout == "dream ['kept']\n", done.stderr
    assert (house / "own" / "kept").read_text() == "dream"


def test_files_that_are_open_can_be_used_where_none_can_be_opened(imprison, no_open, house: Path) -> None:
    body = """
fd = os.open(own / "kept", os.O_RDWR | os.O_CREAT)
close_box()
os.writev(fd, [b"dream", b" and more"])
os.ftruncate(fd, 5)
os.fdatasync(fd)
print(os.pread(fd, 9, 0))
try:
    os.open(own / "kept", os.O_RDONLY)
except PermissionError:
    print("refused")
"""
    done = imprison(no_open, body)

    assert done.stdout == "b'dream'\nrefused\n", done.stderr


def test_threads_and_numbers_work(imprison, box) -> None:
    body = """
import numpy as np
import numpy.fft
close_box()
found = []
square = np.arange(4096.0).reshape(64, 64)
threads = [threading.Thread(target=lambda: found.append(float((square @ square).sum()))) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found), len(set(found)), float(abs(np.fft.fft2(square)).max()) == square.sum())
"""
    done = imprison(box, body)

    assert done.stdout == "4 1 True\n", done.stderr


def test_a_thread_that_was_there_before_is_filtered_too(imprison, no_open) -> None:
    body = """
box_is_closed, answers = threading.Event(), []
def try_it():
    box_is_closed.wait()
    try:
        answers.append(secret.read_text())
    except PermissionError:
        answers.append("refused")
thread = threading.Thread(target=try_it)
thread.start()
close_box()
box_is_closed.set()
thread.join()
print(answers)
"""
    done = imprison(no_open, body)

    assert done.stdout == "['refused']\n", done.stderr


def test_landlock_is_refused_to_a_process_with_a_second_thread(imprison, newest) -> None:
    # landlock binds the calling thread alone
    body = """
end = threading.Event()
threading.Thread(target=end.wait).start()
try:
    close_box()
except BoxError as error:
    print(error)
end.set()
"""
    done = imprison(newest, body)

    assert "one of 2 threads" in done.stdout


@pytest.mark.parametrize(
    ("brought", "kind"),
    [
        ("socket.socket(socket.AF_INET, socket.SOCK_STREAM)", "AF_INET, SOCK_STREAM"),
        ("socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)", "AF_UNIX, SOCK_DGRAM"),
    ],
)
def test_a_socket_that_can_address_anybody_is_refused(imprison, no_open, brought: str, kind: str) -> None:
    done = imprison(no_open, f"brought = {brought}\ntry:\n    close_box()\nexcept BoxError as error:\n    print(error)")

    assert kind in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("walls", "reason"),
    [
        ("Walls(writes=(home / 'missing',))", "cannot stay open"),
        ("Walls(reads=(Path('/'),))", "the box is open: / can be read"),
    ],
)
def test_walls_that_do_not_hold_are_refused(imprison, newest, walls: str, reason: str) -> None:
    done = imprison(newest, f"try:\n    close_box({walls})\nexcept BoxError as error:\n    print(error)")

    assert reason in done.stdout, done.stderr


def test_a_kernel_without_landlock_is_refused_the_rung_that_needs_it(imprison) -> None:
    body = "try:\n    close_box()\nexcept BoxError as error:\n    print(error)"

    assert imprison(("landlock+seccomp", 0), body).stdout == "the kernel has no Landlock\n"


@pytest.mark.parametrize("rung", ["bwrap", "none"])
def test_the_lower_rungs_have_nothing_to_do_inside(imprison, rung: str) -> None:
    done = imprison((rung, 0), "close_box()\nprint(secret.read_text())")

    assert done.stdout == "what nobody may know\n", done.stderr


def test_what_walls_let_read_can_be_read_and_not_written(imprison, box_with_paths) -> None:
    body = """
close_box(Walls(reads=(secret.parent,), writes=(own,)))
print(secret.read_text(), os.listdir(secret.parent))
for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_TRUNC):
    try:
        os.open(secret, flags)
    except PermissionError:
        print("refused")
"""
    done = imprison(box_with_paths, body)

    assert done.stdout == "what nobody may know ['secret']\n" + 4 * "refused\n", done.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 is a convention of x86_64")
def test_a_call_of_another_convention_ends_the_process(imprison, box) -> None:
    done = imprison(box, "close_box()\nlibc.syscall(ctypes.c_long(0x40000000 | 39))\nprint('alive')")

    assert (done.returncode, done.stdout) == (-signal.SIGSYS, "")


def test_clone3_is_answered_as_if_the_kernel_had_none(imprison, box) -> None:
    body = """
close_box()
arguments = ctypes.create_string_buffer(88)
answer = libc.syscall(ctypes.c_long(435), arguments, ctypes.c_long(88))
print(answer, errno.errorcode[ctypes.get_errno()])
"""
    assert imprison(box, body).stdout == "-1 ENOSYS\n"


def test_the_kernel_says_so_to_everybody_and_orders_from_outside_arrive(command, box) -> None:
    body = """
import signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
close_box()
print("closed", flush=True)
while True:
    signal.pause()
"""
    with subprocess.Popen(command(box, body), stdout=subprocess.PIPE, text=True) as prisoner:
        assert prisoner.stdout is not None
        prisoner.stdout.readline()
        status = Path(f"/proc/{prisoner.pid}/status").read_text()

        prisoner.terminate()

        assert prisoner.wait(10) == 7
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
