"""A boxed process serves the sockets that it was handed, with keys on (design, section 3; dossier, section 2)."""

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

TENSOR_BYTES = 393_216
ROUNDS = 20
PATIENCE_MS = 20_000
SERVANT = """
import zmq, threading
public, secret_key, peer = (word.encode() for word in KEYS)
context = zmq.Context()
CLOSE_EARLY
keeper = context.socket(zmq.REP)
keeper.bind("inproc://zeromq.zap.01")
def admit():
    while True:
        try:
            asked = keeper.recv_multipart()
        except zmq.ZMQError:
            return
        keeper.send_multipart([asked[0], asked[1], b"200", b"OK", b"friend", b""])
threading.Thread(target=admit, daemon=True).start()
inbox = context.socket(zmq.PULL)
inbox.curve_server, inbox.curve_secretkey, inbox.zap_domain = 1, secret_key, b"dreamer"
inbox.setsockopt(zmq.USE_FD, IN)
inbox.bind("ipc://IN_PATH")
outlet = context.socket(zmq.PUSH)
outlet.curve_publickey, outlet.curve_secretkey, outlet.curve_serverkey = public, secret_key, peer
outlet.setsockopt(zmq.USE_FD, OUT)
outlet.bind("ipc://OUT_PATH")
CLOSE_LATE
for _ in range(ROUNDS):
    frame = inbox.recv(copy=False)
    assert frame.get("User-Id") == "friend"
    outlet.send(frame.bytes[:1] * TENSOR_BYTES, copy=False)
inbox.recv()
print("served", flush=True)
os._exit(0)
"""


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="ox") as folder:
        yield Path(folder)


def listen(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    made.listen(8)
    made.setblocking(False)
    return made


def test_boxed_process_receives_and_sends_tensors_with_keys(command, box, runtime: Path) -> None:
    servant, friend = zmq.curve_keypair(), zmq.curve_keypair()
    body = SERVANT.replace("ROUNDS", str(ROUNDS)).replace("TENSOR_BYTES", str(TENSOR_BYTES))
    early, late = ("close_box()", "") if box[0] == "landlock+seccomp" else ("", "close_box()")
    body = body.replace("CLOSE_EARLY", early).replace("CLOSE_LATE", late)
    body = body.replace("KEYS", repr([servant[0].decode(), servant[1].decode(), friend[0].decode()]))
    body = body.replace("IN_PATH", str(runtime / "in")).replace("OUT_PATH", str(runtime / "out"))
    context = zmq.Context()
    with listen(runtime / "in") as inbox, listen(runtime / "out") as outlet:
        body = body.replace("IN)", f"{inbox.fileno()})").replace("OUT)", f"{outlet.fileno()})")
        fds = (inbox.fileno(), outlet.fileno())
        process = subprocess.Popen(
            command(box, body), pass_fds=fds, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    to_servant, from_servant = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    to_servant.curve_publickey, to_servant.curve_secretkey = friend
    to_servant.curve_serverkey = servant[0]
    to_servant.connect(f"ipc://{runtime / 'in'}")
    from_servant.curve_server, from_servant.curve_secretkey, from_servant.rcvtimeo = True, friend[1], PATIENCE_MS
    from_servant.connect(f"ipc://{runtime / 'out'}")

    for number in range(ROUNDS):
        to_servant.send(bytes([65 + number]) * 200)
    try:
        sizes = {len(from_servant.recv()) for _ in range(ROUNDS)}
        to_servant.send(b"enough")
    except zmq.Again:
        sizes = set()
        process.kill()

    output, errors = process.communicate(timeout=20)
    context.destroy(linger=0)
    assert output == "served\n", errors
    assert sizes == {TENSOR_BYTES}
