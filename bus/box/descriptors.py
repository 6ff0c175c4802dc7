"""Descriptors that a process brings into its box: a box closes paths, not what is open already.

In: all open descriptors of this process. Out: nothing. Refused are sockets by which a boxed process could still reach
somebody of its choice.
"""

import os
import socket
import stat

from bus.box.errors import BoxError


def refuse_free_sockets() -> None:
    """Raise BoxError when a socket is open that may address anybody: any but unix ones that are bound to one peer."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        if _is_socket(fd):
            _judge(fd)


def _is_socket(fd: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False  # that of the listing itself is gone


def _judge(fd: int) -> None:
    with socket.socket(fileno=os.dup(fd)) as found:
        if found.family != socket.AF_UNIX or found.type == socket.SOCK_DGRAM:
            family, kind = socket.AddressFamily(found.family).name, socket.SocketKind(found.type).name
            raise BoxError(f"descriptor {fd} is a socket ({family}, {kind}) that a boxed process may not have")
