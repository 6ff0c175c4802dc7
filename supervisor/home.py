"""Where a home keeps its state, and where its sockets live (design, section 4).

In: a home folder, the environment's XDG folders. Out: the paths of every kind of state, and the runtime folder for
sockets, made with mode 0700. Refused: a runtime folder that belongs to somebody else. A session folder so long that a
socket in it could pass the 107 bytes that the kernel allows for a socket's path is passed over for one in /tmp.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervisor.errors import FolderRefusedError

SOCKET_PATH_LIMIT: Final = 107
"""Most bytes of a socket's path: `sun_path` of unix(7) without its closing zero."""
LONGEST_SOCKET_NAME: Final = 56
"""Bytes kept free for a socket's file name: `SENDER.RECEIVER.out` with short names, or one long name with a suffix."""
SHORT_FOLDER: Final = Path("/tmp")  # noqa: S108 - TMPDIR may be too long for a socket; owner and mode are checked


@dataclass(frozen=True)
class Home:
    """The folder of one dream pool with everything around it; one home has one supervisor at a time."""

    root: Path

    @property
    def pool(self) -> Path:
        """Folder of `dream_pool.sqlite`, which the pool-keeper alone writes."""
        return self.root / "pool"

    @property
    def pool_file(self) -> Path:
        """The dream pool itself."""
        return self.pool / "dream_pool.sqlite"

    @property
    def data(self) -> Path:
        """Folder of `bias_profile.json` and `bias_explanation.json`."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """Folder of the actors' output, ACTOR.log."""
        return self.root / "logs"

    @property
    def interface_logs(self) -> Path:
        """Folder of the append-only persist, retrieval and feedback logs."""
        return self.logs / "interface"

    @property
    def journal(self) -> Path:
        """Folder of the journals, RUN/ACTOR/*.seg."""
        return self.root / "journal"

    @property
    def runs(self) -> Path:
        """Folder of the run manifests, RUN/manifest.json."""
        return self.root / "runs"

    @property
    def inputs(self) -> Path:
        """Folder of the input sets, SHA256.msgpack."""
        return self.root / "inputs"

    @property
    def artifacts(self) -> Path:
        """Folder of results that are meant to be kept."""
        return self.root / "artifacts"

    @property
    def config(self) -> Path:
        """Folder of the user's own `engine.toml`; it need not exist."""
        return self.root / "config"

    @property
    def lock_file(self) -> Path:
        """The file whose lock the running supervisor holds."""
        return self.root / "supervisor.lock"

    def create(self) -> None:
        """Make the folders that do not exist yet; raises FolderRefusedError naming the one that cannot be made."""
        for folder in (self.pool, self.data, self.interface_logs, self.journal, self.runs, self.inputs, self.artifacts):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = error.strerror or str(error)
                raise FolderRefusedError(str(folder), reason, "choose another folder with --home") from error


def runtime_folder(home: Path) -> Path:
    """The folder for the sockets of `home`: ours, mode 0700, short; made when it is not there.

    `oneiros-TAG` in $XDG_RUNTIME_DIR when that is ours and short, else `oneiros-UID-TAG` in /tmp; TAG is the start of
    the SHA-256 of the home's path. Raises FolderRefusedError when it belongs to another user or is no folder.
    """
    tag = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]
    folder = _session_folder(tag) or SHORT_FOLDER / f"oneiros-{os.getuid()}-{tag}"
    _make_private(folder)
    return folder


def _session_folder(tag: str) -> Path | None:
    declared = os.environ.get("XDG_RUNTIME_DIR", "")
    if not declared.startswith("/"):
        return None
    parent = Path(declared)
    try:
        is_ours = parent.is_dir() and parent.stat().st_uid == os.getuid() and os.access(parent, os.W_OK)
    except OSError:
        return None
    folder = parent / f"oneiros-{tag}"
    return folder if is_ours and _leaves_room(folder) else None


def _leaves_room(folder: Path) -> bool:
    return len(os.fsencode(folder)) + 1 + LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT


def _make_private(folder: Path) -> None:
    advice = "remove it, or set XDG_RUNTIME_DIR to a folder of your own"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise FolderRefusedError(str(folder), error.strerror or str(error), advice) from error
    if not stat.S_ISDIR(found.st_mode):
        raise FolderRefusedError(str(folder), "it is a link or a file, not a folder", advice)
    if found.st_uid != os.getuid():
        raise FolderRefusedError(str(folder), f"it belongs to user {found.st_uid}, not to us ({os.getuid()})", advice)
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)
