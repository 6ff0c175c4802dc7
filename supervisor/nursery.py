"""The supervisor's end of the zygote: started before anything slow is imported, asked for one process at a time.

In: orders. Out: ids of processes that are our children. A zygote that died is started anew with the next order; what it
cannot do is an OSError, which whoever asked may answer with an exec.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

from supervisor.zygote import MAX_ORDER_BYTES

PINNED: Final[tuple[tuple[str, str], ...]] = (
    ("MKL_NUM_THREADS", "1"),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
    ("PYTHONHASHSEED", "0"),
    ("PYTHONUNBUFFERED", "1"),
)
"""What every actor's environment holds whatever the user's says: results may not depend on a thread count."""
KEPT: Final = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "VIRTUAL_ENV")
ARITHMETIC: Final = ("MKL_", "NPY_", "OPENBLAS_")
"""Beginnings of the variables that choose kernels, and so the last bits of a result."""
KEPT_PREFIXES: Final = ("CUDA_", "LC_", "NVIDIA_", *ARITHMETIC)
"""What actors keep of the user's environment: what programs are found by, what arithmetic depends on; no token."""
PATIENCE_S: Final = 10.0
NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


def actor_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What an actor's environment is, where `ours` is that of the supervisor."""
    kept = {name: value for name, value in ours.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}
    return {**kept, **dict(PINNED)}


def pinned_environment(ours: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What decides the bits of a run that is started from `ours`, by name: for its manifest."""
    found = {name: value for name, value in ours.items() if name.startswith(ARITHMETIC)}
    return tuple(sorted({**found, **dict(PINNED)}.items()))


def replaying_environment(ours: Mapping[str, str], pinned: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What the environment of a replay is: that of an actor, its arithmetic as it was `pinned` for the run."""
    kept = {name: value for name, value in actor_environment(ours).items() if not name.startswith(ARITHMETIC)}
    return {**kept, **dict(pinned)}


class Nursery:
    """One zygote."""

    def __init__(self) -> None:
        self._start()

    @property
    def pid(self) -> int:
        """The zygote's process."""
        return self._zygote.pid

    def fork(
        self, module: str, arguments: Sequence[str], folder: Path, log: Path, handed: Mapping[str, int] = NOTHING
    ) -> int:
        """The id of a new process that runs `module`, a child of ours; raises OSError.

        It is told of the descriptors in `handed` by name.
        """
        if self._zygote.poll() is not None:
            self.close()
            self._start()
        try:
            return self._ask(module, arguments, folder, log, handed)
        except TimeoutError:
            self.close()
            self._start()
            raise

    def _ask(self, module: str, arguments: Sequence[str], folder: Path, log: Path, handed: Mapping[str, int]) -> int:
        order = {
            "module": module,
            "arguments": list(arguments),
            "folder": str(folder),
            "log": str(log),
            "handed": list(handed),
        }
        socket.send_fds(self._socket, [json.dumps(order).encode()], list(handed.values()))
        answer = json.loads(self._socket.recv(MAX_ORDER_BYTES) or b'{"error": "the zygote has died"}')
        if "pid" not in answer:
            raise OSError(str(answer.get("error")))
        return int(answer["pid"])

    def close(self) -> None:
        """End the zygote; what it forked lives on."""
        self._socket.close()
        with suppress(ProcessLookupError):
            self._zygote.send_signal(signal.SIGKILL)
        self._zygote.wait()

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(PATIENCE_S)
        with theirs:
            number = theirs.fileno()
            self._zygote = subprocess.Popen(
                [sys.executable, "-P", "-m", "supervisor.zygote", str(number)],
                env=actor_environment(os.environ),
                stdin=subprocess.DEVNULL,
                pass_fds=(number,),
                start_new_session=True,
            )
