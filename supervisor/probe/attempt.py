"""What an attempt to escape is, and what it is told about the world that it attacks.

In: the facts of a throw-away world. Out: a proof in one line when the attempt got through; a refusal of the kernel is
an OSError. What an attempt says is only a claim: whoever made the world judges it (`supervisor.probe.verdict`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from schemas.base import Record
from schemas.errors import OneirosError

SECRET: Final = re.compile(rb"oneiros-secret-[0-9a-f]{12}")
"""What every protected thing of a world holds, each its own."""

Theme = Literal["files", "processes", "sockets", "memory", "kernel"]

Evidence = Literal["secret", "trace", "word", "means"]
"""What proves that an attempt reached the world outside.

`secret`: it tells what only the outside holds. `trace`: something outside has changed. `word`: that the call was
answered at all. `means`: as `word`, but within namespaces of its own the same call reaches nobody.
"""


class NotHereError(OneirosError):
    """An attempt cannot be made on this machine, whether boxed or not."""


class Facts(Record):
    """Where everything is that may be attacked. Secrets are not among them."""

    home: str
    run_id: str
    instance: str
    own_folder: str
    """The one folder that stays open to whoever is boxed."""
    pool_file: str
    victims: str
    """Folder of the pool, with a copy of it named after each attempt that would harm one."""
    peer_journal: str
    peer_folder: str
    peer_log: str
    temporary: str
    """A path in /tmp where nothing is."""
    runtime: str
    key_file: str
    socket_path: str
    inbox_path: str
    abstract_name: str
    tcp_port: int
    udp_port: int
    peer_pid: int
    peer_fd: int
    """A descriptor of the peer, open on a file of the pool."""
    peer_address: int
    """Where in the memory of the peer a secret lies, 32 bytes."""
    shared_key: int | None
    """Key of a System V segment; None where the machine has none."""
    shared_file: str | None
    """A segment of POSIX shared memory; None where the machine has none."""
    key_name: str
    """Of the key that an intruder leaves in the session keyring; before `-secret`, of one that lies there."""
    queue_name: str | None
    """A POSIX message queue, without its slash; None where the machine has none."""
    file_handle: str | None
    """The kernel's handle of the pool, in hexadecimal; None where the file system gives none."""

    def victim(self, name: str) -> str:
        """The copy of the pool that is there for the attempt `name` alone."""
        return f"{self.victims}/{name}.sqlite"

    def intruder(self, folder: str, name: str) -> str:
        """Where the attempt `name` leaves something of its own in `folder`."""
        return f"{folder}/intruder-{name}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way out."""

    name: str
    theme: Theme
    evidence: Evidence
    run: Callable[[Facts], str]
    """A short proof when it got through; raises OSError when the kernel refused it."""
    is_conceded: bool = False
    """Whether it is known, and said, that the box does not stop it."""


def told(data: bytes) -> str:
    """The secret in `data`, or that there is none."""
    found = SECRET.search(data)
    return f"{len(data)} bytes without a secret in them" if found is None else found.group().decode()
