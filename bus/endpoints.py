"""Where each instance listens or is called.

In: the runtime folder and names of instances. Out: paths and addresses. Refused: paths longer than the kernel allows,
and a place that somebody serves.
"""

import errno
import os
import socket
import time
from pathlib import Path
from typing import Final

from bus.errors import EndpointError

MAX_SOCKET_PATH_BYTES: Final = 107
"""What the kernel allows for the path of a unix socket, less its final zero."""
CLOSING_S: Final = 0.5


def inbox_path(runtime: Path, instance: str) -> Path:
    """The socket file of `instance`."""
    return runtime / f"{instance}.in"


def inbox_address(runtime: Path, instance: str) -> str:
    """The ZeroMQ address of the inbox of `instance`; raises EndpointError when its path is too long for a socket."""
    return address_of(inbox_path(runtime, instance))


def outlet_path(runtime: Path, sender: str, receiver: str) -> Path:
    """The socket file at which a boxed `sender` is called by `receiver`."""
    return runtime / f"{sender}.{receiver}.out"


def outlet_address(runtime: Path, sender: str, receiver: str) -> str:
    """The ZeroMQ address of `outlet_path`; raises EndpointError when that is too long for a socket."""
    return address_of(outlet_path(runtime, sender, receiver))


def address_of(path: Path) -> str:
    """The ZeroMQ address of a socket file; raises EndpointError when `path` is too long for a socket."""
    size = len(os.fsencode(path))
    if size > MAX_SOCKET_PATH_BYTES:
        raise EndpointError(
            f"socket path {path} has {size} bytes, the kernel allows {MAX_SOCKET_PATH_BYTES}; "
            "set XDG_RUNTIME_DIR to a shorter folder"
        )
    return f"ipc://{path}"


def refuse_if_served(path: Path) -> None:
    """Raise EndpointError when a process has a socket at `path`: ZeroMQ would silently take the place over.

    A predecessor that is just closing gets `CLOSING_S` to be gone.
    """
    patience = time.monotonic() + CLOSING_S
    while is_served(path):
        if time.monotonic() > patience:
            raise EndpointError(f"{path} is served by another process; stop it, or use another home")
        time.sleep(CLOSING_S / 50)


def is_served(path: Path) -> bool:
    """Whether a process has a stream socket at `path`.

    Asked by a socket of another type, which the kernel turns away by itself (EPROTOTYPE): a server sees nothing of it,
    and does not take it for a peer without a key.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        return probe.connect_ex(str(path)) == errno.EPROTOTYPE
