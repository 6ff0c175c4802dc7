"""Where the inbox of each instance listens."""

from pathlib import Path
from typing import Final

from bus.errors import EndpointError

MAX_SOCKET_PATH_BYTES: Final = 107
"""What the kernel allows for the path of a unix socket, less its final zero."""


def inbox_path(runtime: Path, instance: str) -> Path:
    """The socket file of `instance`."""
    return runtime / f"{instance}.in"


def inbox_address(runtime: Path, instance: str) -> str:
    """The ZeroMQ address of the inbox of `instance`; raises EndpointError when its path is too long for a socket."""
    path = inbox_path(runtime, instance)
    size = len(str(path).encode())
    if size > MAX_SOCKET_PATH_BYTES:
        raise EndpointError(
            f"socket path {path} has {size} bytes, the kernel allows {MAX_SOCKET_PATH_BYTES}; "
            "set XDG_RUNTIME_DIR to a shorter folder"
        )
    return f"ipc://{path}"
