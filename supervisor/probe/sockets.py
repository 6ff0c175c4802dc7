"""Attempts to speak to anybody, and to be spoken to."""

import errno
import os
import socket
from collections.abc import Callable
from typing import Final

from supervisor.probe.attempt import Attempt, Evidence, Facts

PATIENCE_S: Final = 1.0
LOOPBACK: Final = "127.0.0.1"
GREETING: Final = b"\xff" + bytes(7) + b"\x01\x7f\x03\x00NULL" + bytes(16 + 1 + 31)
"""ZMTP 3.0 (rfc.zeromq.org/spec/23): signature, version, mechanism, not a server."""
PUSH_READY: Final = b"\x05READY\x0bSocket-Type" + (4).to_bytes(4, "big") + b"PUSH"


def _say(kind: socket.AddressFamily, address: str | tuple[str, int], name: str) -> str:
    with socket.socket(kind, socket.SOCK_STREAM) as pipe:
        pipe.settimeout(PATIENCE_S)
        pipe.connect(address)
        pipe.sendall(name.encode())
    return "connected, and spoken"


def _forge(facts: Facts) -> str:
    """Handshake and one message, as ZeroMQ would send them."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as pipe:
        pipe.settimeout(PATIENCE_S)
        pipe.connect(facts.inbox_path)
        pipe.sendall(GREETING)
        _receive(pipe, len(GREETING))
        pipe.sendall(bytes((4, len(PUSH_READY))) + PUSH_READY)
        _, size = _receive(pipe, 2)
        _receive(pipe, size)
        name = b"inbox-forge"
        pipe.sendall(bytes((0, len(name))) + name)
        pipe.shutdown(socket.SHUT_WR)
    return "a message was forged"


def _receive(pipe: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = pipe.recv(size - len(data))
        if not part:
            raise OSError(errno.ECONNRESET, "the peer hung up during the handshake")
        data += part
    return data


def _bind(kind: socket.AddressFamily, address: str | tuple[str, int]) -> str:
    with socket.socket(kind, socket.SOCK_STREAM) as pipe:
        pipe.bind(address)
        pipe.listen()
    return "it listens"


def _send_datagram(facts: Facts) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pipe:
        return f"{pipe.sendto(b'udp-send', (LOOPBACK, facts.udp_port))} bytes sent"


def _make(kind: socket.AddressFamily, form: socket.SocketKind, protocol: int) -> Callable[[Facts], str]:
    def run(_facts: Facts) -> str:
        socket.socket(kind, form, protocol).close()
        return "the socket was made"

    return run


def _pair(_facts: Facts) -> str:
    for end in socket.socketpair():
        end.close()
    return "two sockets were made"


def _pipe_in_file_system(facts: Facts) -> str:
    path = facts.intruder(facts.runtime, "unix-bind")
    answer = _bind(socket.AF_UNIX, path)
    return f"{answer} at {os.path.basename(path)}"


def _attempt(name: str, evidence: Evidence, run: Callable[[Facts], str]) -> Attempt:
    return Attempt(name, "sockets", evidence, run)


ATTEMPTS: Final = (
    _attempt("unix-connect", "trace", lambda facts: _say(socket.AF_UNIX, facts.socket_path, "unix-connect")),
    _attempt("inbox-forge", "trace", _forge),
    _attempt("unix-bind", "trace", _pipe_in_file_system),
    _attempt(
        "abstract-connect", "trace", lambda facts: _say(socket.AF_UNIX, f"\0{facts.abstract_name}", "abstract-connect")
    ),
    _attempt("abstract-bind", "means", lambda facts: _bind(socket.AF_UNIX, f"\0{facts.abstract_name}-intruder")),
    _attempt("tcp-connect", "trace", lambda facts: _say(socket.AF_INET, (LOOPBACK, facts.tcp_port), "tcp-connect")),
    _attempt("tcp-listen", "means", lambda _: _bind(socket.AF_INET, (LOOPBACK, 0))),
    _attempt("udp-send", "trace", _send_datagram),
    _attempt("inet6-socket", "means", _make(socket.AF_INET6, socket.SOCK_STREAM, 0)),
    _attempt("raw-socket", "means", _make(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)),
    _attempt("netlink-socket", "means", _make(socket.AF_NETLINK, socket.SOCK_RAW, 0)),
    _attempt("packet-socket", "means", _make(socket.AF_PACKET, socket.SOCK_RAW, 0)),
    # the only family that no namespace keeps in
    _attempt("vsock-socket", "word", _make(socket.AF_VSOCK, socket.SOCK_STREAM, 0)),
    _attempt("socket-pair", "means", _pair),
)
