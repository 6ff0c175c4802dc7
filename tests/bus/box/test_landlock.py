"""Landlock by itself, without the filter behind it: what each ABI takes away."""

import json

import pytest

BODY = """
from bus.box import landlock, seccomp
seccomp.forbid_new_privileges()
held = landlock.restrict(walls, abi)

def cut():
    os.truncate(secret, 3)

def bind():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))

def read():
    secret.read_text()

def make_pipe():
    os.mknod(own / "pipe", 0o600 | 0o010000)

told = {"abi": held}
for attempt in (read, make_pipe, cut, bind):
    try:
        attempt()
        told[attempt.__name__] = "through"
    except PermissionError:
        told[attempt.__name__] = "refused"
print(json.dumps(told))
"""


@pytest.mark.parametrize(
    ("abi", "refused"),
    [
        (1, {"read", "make_pipe"}),
        (2, {"read", "make_pipe"}),
        (3, {"read", "make_pipe", "cut"}),
        (4, {"read", "make_pipe", "cut", "bind"}),
        (7, {"read", "make_pipe", "cut", "bind"}),
    ],
)
def test_each_abi_takes_away_what_it_knows(imprison, abi: int, refused: set[str]) -> None:
    done = imprison(("landlock+seccomp", abi), BODY)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("abi") == abi
    assert {name for name, answer in told.items() if answer == "refused"} == refused


@pytest.mark.parametrize(("abi", "answer"), [(4, "through"), (6, "refused"), (7, "refused")])
def test_signals_and_abstract_sockets_outside_are_out_of_reach_from_abi_6_on(imprison, abi: int, answer: str) -> None:
    body = """
from bus.box import landlock, seccomp
import signal
to_child, from_child = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(b"\\0" + b"oneiros-" + str(os.getpid()).encode())
    listener.listen()
    os.write(from_child[1], b"up")
    os.read(to_child[0], 1)
    os._exit(0)
os.read(from_child[0], 2)
seccomp.forbid_new_privileges()
landlock.restrict(walls, abi)

def call():
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(b"\\0" + b"oneiros-" + str(child).encode())

def told(attempt):
    try:
        attempt()
        return "through"
    except PermissionError:
        return "refused"

print(told(call), told(lambda: os.kill(child, 0)))
os.write(to_child[1], b"x")
os.waitpid(child, 0)
"""
    done = imprison(("landlock+seccomp", abi), body)

    assert done.stdout == f"{answer} {answer}\n", done.stderr
