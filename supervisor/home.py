"""Where a home keeps its state, and where its sockets live (design, section 4).

In: a home folder, the environment's XDG folders. Out: the paths of every kind of state, and the runtime folder for
sockets, made with mode 0700. Refused: a home whose path is no UTF-8 text, which no manifest could hold; to make one
whose path is so long that SQLite could not open the pool; a runtime folder that belongs to somebody else. A session
folder so long that a socket in it could pass the 107 bytes that the kernel allows for a socket's path is passed over
for one in /tmp.
"""

import errno
import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervisor.errors import FolderRefusedError, HomeHiddenError

SOCKET_PATH_LIMIT: Final = 107
"""Most bytes of a socket's path: `sun_path` of unix(7) without its closing zero."""
LONGEST_SOCKET_NAME: Final = 56
"""Bytes kept free for a socket's file name: `SENDER.RECEIVER.out` with short names, or one long name with a suffix."""
LONGEST_HOME: Final = 512 - len("/pool/dream_pool.sqlite") - len("-journal")
"""Most bytes of a home's path: SQLite's limit of 512, which every file system allows, less what is appended to it."""
LONGEST_NAME: Final = 255
"""Most bytes of one name in a path: NAME_MAX of limits.h(0p) on the usual file systems."""
SHOWN_CHARACTERS: Final = 60
"""So much of a path that is too long is shown."""
ADVICE: Final = "choose another folder with --home"
SHORT_FOLDER: Final = Path("/tmp")  # noqa: S108 - TMPDIR may be too long for a socket; owner and mode are checked


@dataclass(frozen=True)
class Home:
    """The folder of one dream pool with everything around it; one home has one supervisor at a time.

    Raises FolderRefusedError for a path that is no UTF-8 text.
    """

    root: Path

    def __post_init__(self) -> None:
        if not is_utf8(str(self.root)):
            raise FolderRefusedError(str(self.root), "the path is no UTF-8 text", ADVICE)

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

    def check_length(self) -> None:
        """Raise FolderRefusedError when the path, or where its links lead, is too long for what lives under it."""
        for path in (self.root, _resolved(self.root)):
            name = max(path.parts, key=_size_bytes)
            if _size_bytes(name) > LONGEST_NAME:
                reason = f"the name has {_size_bytes(name)} bytes, at most {LONGEST_NAME} are possible"
                raise FolderRefusedError(_beginning(name), reason, ADVICE)
            if _size_bytes(path) > LONGEST_HOME:
                reason = f"the path has {_size_bytes(path)} bytes, at most {LONGEST_HOME} leave room for the pool"
                raise FolderRefusedError(_beginning(str(path)), reason, ADVICE)

    def check_is_visible(self) -> None:
        """Raise HomeHiddenError when the folder is there and this user may not look into it."""
        try:
            is_hidden = self.root.is_dir() and not os.access(self.root, os.R_OK | os.X_OK)
        except OSError:  # above a folder that is closed, or too long: told by whoever opens something in it
            return
        if is_hidden:
            raise HomeHiddenError(str(self.root), os.strerror(errno.EACCES), owner_of(self.root))

    def check_is_there(self) -> None:
        """Raise FolderRefusedError when no run was ever in this home."""
        self.check_length()
        if not self.runs.is_dir():
            raise FolderRefusedError(str(self.root), "nothing ever ran there", "give --home DIR the folder of a run")

    def create(self) -> None:
        """Make the folders that do not exist yet; raises FolderRefusedError naming the one that cannot be made."""
        self.check_length()
        for folder in (self.pool, self.data, self.interface_logs, self.journal, self.runs, self.inputs, self.artifacts):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = error.strerror or str(error)
                raise FolderRefusedError(str(folder), reason, ADVICE) from error


def runtime_folder(home: Path) -> Path:
    """The folder for the sockets of `home`: ours, mode 0700, short; made when it is not there.

    `oneiros-TAG` in $XDG_RUNTIME_DIR when that is ours and short, else `oneiros-UID-TAG` in /tmp; TAG is the start of
    the SHA-256 of the home's path. Raises FolderRefusedError when it belongs to another user or is no folder.
    """
    tag = hashlib.sha256(os.fsencode(_resolved(home))).hexdigest()[:8]
    folder = _session_folder(tag) or SHORT_FOLDER / f"oneiros-{os.getuid()}-{tag}"
    _make_private(folder)
    return folder


def is_utf8(path: str) -> bool:
    """Whether `path` is text that JSON can hold: bytes that are no UTF-8 stand in it as lone surrogates."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def owner_of(path: Path) -> str:
    """The name of the user who owns `path`, or the nearest folder above it that can be seen."""
    for place in (path, *path.parents):
        try:
            user = place.stat().st_uid
        except OSError:
            continue
        try:
            return pwd.getpwuid(user).pw_name
        except KeyError:
            return f"user {user}"
    return "another user"


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # links in a circle: refused where the folder is made
        return path


def _size_bytes(path: Path | str) -> int:
    return len(os.fsencode(path))


def _beginning(path: str) -> str:
    return path if len(path) <= SHOWN_CHARACTERS else f"{path[:SHOWN_CHARACTERS]}..."


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
