"""A world that is made to be attacked: a home, a runtime folder and a peer, all of them real, all thrown away.

In: nothing. Out: the facts that a prisoner is told, and afterwards, seen from outside, what has changed and what was
heard. It lies in /tmp, as paths of sockets are short, and is gone when the context ends, whatever happened.
"""

import errno
import hashlib
import os
import secrets
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

from supervisor.home import SHORT_FOLDER, Home
from supervisor.nursery import PINNED
from supervisor.probe import sqlite_library
from supervisor.probe.attempt import Facts, NotHereError
from supervisor.probe.attempts import ATTEMPTS
from supervisor.probe.files import handle_of
from supervisor.probe.kernel_doors import SEARCH_KEY, SESSION_KEYRING
from supervisor.probe.prey import IPC_REMOVE, Heard, Lair, Order
from supervisor.probe.sqlite_library import CREATE, READ_WRITE, Database
from supervisor.probe.system_calls import call

RUN_ID: Final = "20250101T000000Z-0001"
INSTANCE: Final = "dreamer"
PEER: Final = "pool-keeper"
INTRUDER: Final = "intruder-"
PATIENCE_S: Final = 10.0
GET_KEYRING: Final = 0
UNLINK_KEY: Final = 9
SIGNAL_TRACES: Final = {signal.SIGTERM: "peer-terminate", signal.SIGUSR1: "peer-signal-group"}


class Look(NamedTuple):
    """How a file looks from outside; reading it changes nothing of that."""

    mode: int
    owner: int
    inode: int
    links: int
    size: int
    modified_ns: int
    changed_ns: int
    sha256: str


class World:
    """One world, from its making to its end."""

    def __init__(self) -> None:
        self._tag = secrets.token_hex(6)
        self._shared_key = int(self._tag[:7], 16) | 1
        self._shared = f"/dev/shm/oneiros-probe-{self._tag}"  # noqa: S108 - shared memory is what is tried
        self._secrets: list[str] = []
        self.root = Path(tempfile.mkdtemp(prefix="oneiros-probe-", dir=SHORT_FOLDER)).resolve()
        try:
            self._furnish()
            self._hide_key()
            self._prey = self._start_prey()
            self.facts = self._write_down(self._meet_prey())
            self.begin()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the peer and remove everything."""
        prey: subprocess.Popen[bytes] | None = getattr(self, "_prey", None)
        if prey is not None:
            with suppress(subprocess.TimeoutExpired, BrokenPipeError):
                prey.communicate(timeout=PATIENCE_S)
            with suppress(ProcessLookupError):
                prey.kill()
            prey.wait()
        self._clear_outside()
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def home(self) -> Home:
        """Its state folder."""
        return Home(self.root / "home")

    @property
    def own_folder(self) -> Path:
        """The one folder that stays open to a prisoner."""
        return self.home.journal / RUN_ID / INSTANCE

    @property
    def log(self) -> Path:
        """Where the prisoner's output goes."""
        return self.root / "prisoner.log"

    def holds(self, claim: str) -> bool:
        """Whether `claim` tells one of its secrets."""
        return any(secret in claim for secret in self._secrets)

    def begin(self) -> None:
        """Take what is there now for what nobody has touched."""
        self._before = self._look_around()

    def traces(self) -> Mapping[str, str]:
        """What is different now: attempt -> what it left; `""` collects what no attempt explains."""
        found: dict[str, str] = {}
        after = self._look_around()
        for path in sorted(self._before.keys() | after.keys()):
            if self._before.get(path) != after.get(path):
                verb = "gone" if path not in after else "changed" if path in self._before else "new"
                found[_culprit_of(path)] = f"{path.name} is {verb}"
        if Path(self.facts.temporary).exists():
            found["tmp-write"] = f"{self.facts.temporary} is new"
        if Path(f"{self._shared}-intruder").exists():
            found["shared-file-make"] = f"{self._shared}-intruder is new"
        with suppress(OSError):
            found["key-add"] = f"key {self._find_key(self._key)} is new in the session keyring"
        with suppress(OSError):
            found["message-queue-make"] = f"queue {call('msgget', self._shared_key, 0)} is new"
        return found | self._ask_prey()

    def _secret(self) -> str:
        self._secrets.append(f"oneiros-secret-{secrets.token_hex(6)}")
        return self._secrets[-1]

    def _furnish(self) -> None:
        self.home.create()
        self.own_folder.mkdir(parents=True)
        peer_folder = self.own_folder.with_name(PEER)
        peer_folder.mkdir()
        self.runtime.mkdir(mode=0o700)
        for path in (peer_folder / "1-1.seg", self.home.logs / f"{PEER}.log", self.runtime / f"{PEER}.key"):
            path.write_text(self._secret())
        (self.home.logs / "refusals").mkdir()
        for folder in (self.home.root, self.home.pool):
            (folder / self._secret()).touch()
        _make_pool(self.home.pool_file, self._secret())
        for attempt in ATTEMPTS:
            if attempt.name.startswith("pool-") and attempt.evidence == "trace":
                shutil.copyfile(self.home.pool_file, self.home.pool / f"{attempt.name}.sqlite")

    def _hide_key(self) -> None:
        """Put a secret into the session keyring, which is made if there is none: a login has one as well."""
        with suppress(OSError):
            call("keyctl", GET_KEYRING, SESSION_KEYRING, 1)
            secret = self._secret().encode()
            call("add_key", b"user", f"{self._key}-secret".encode(), secret, len(secret), SESSION_KEYRING)

    def _find_key(self, name: str) -> int:
        return call("keyctl", SEARCH_KEY, SESSION_KEYRING, b"user", name.encode(), 0)

    @property
    def _key(self) -> str:
        return f"oneiros-probe-{self._tag}"

    @property
    def runtime(self) -> Path:
        """The folder of its sockets."""
        return self.root / "run"

    def _start_prey(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "supervisor.probe.prey"],
            env={**os.environ, **dict(PINNED), "ONEIROS_PREY": self._secret()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def _meet_prey(self) -> Lair:
        order = Order(
            runtime=str(self.runtime),
            socket_path=str(self.runtime / "control"),
            instance=PEER,
            abstract_name=f"oneiros-probe-{self._tag}",
            shared_key=self._shared_key,
            shared_file=self._shared,
            queue_name=f"oneiros-probe-{self._tag}",
            held_file=str(self.home.pool_file),
            secret=self._secret(),
        )
        return Lair.model_validate_json(self._tell_prey(order.model_dump_json()))

    def _tell_prey(self, line: str) -> bytes:
        if self._prey.stdin is None or self._prey.stdout is None:
            raise OSError(errno.EPIPE, "the prey has no ears")
        self._prey.stdin.write(line.encode() + b"\n")
        self._prey.stdin.flush()
        if not select.select([self._prey.stdout], [], [], PATIENCE_S)[0]:
            raise TimeoutError("the prey does not answer")
        return self._prey.stdout.readline()

    def _ask_prey(self) -> dict[str, str]:
        try:
            answer = self._tell_prey("")
        except OSError:
            answer = b""
        if not answer:
            return {"": "the peer is dead"}
        heard = Heard.model_validate_json(answer)
        names = {attempt.name for attempt in ATTEMPTS}
        traces = {word if word in names else "": f"the peer heard {word!r}" for word in heard.words}
        return traces | {SIGNAL_TRACES[signal.Signals(number)]: "the peer was signalled" for number in heard.signals}

    def _write_down(self, lair: Lair) -> Facts:
        try:
            handle: str | None = handle_of(str(self.home.pool_file)).hex()
        except OSError:
            handle = None
        return Facts(
            home=str(self.home.root),
            run_id=RUN_ID,
            instance=INSTANCE,
            own_folder=str(self.own_folder),
            pool_file=str(self.home.pool_file),
            victims=str(self.home.pool),
            peer_journal=str(self.own_folder.with_name(PEER) / "1-1.seg"),
            peer_folder=str(self.own_folder.with_name(PEER)),
            peer_log=str(self.home.logs / f"{PEER}.log"),
            temporary=str(SHORT_FOLDER / f"{INTRUDER}{self._tag}"),
            runtime=str(self.runtime),
            key_file=str(self.runtime / f"{PEER}.key"),
            socket_path=str(self.runtime / "control"),
            inbox_path=str(self.runtime / f"{PEER}.in"),
            abstract_name=f"oneiros-probe-{self._tag}",
            tcp_port=lair.tcp_port,
            udp_port=lair.udp_port,
            peer_pid=lair.pid,
            peer_fd=lair.fd,
            peer_address=lair.address,
            shared_key=lair.shared_key,
            shared_file=lair.shared_file,
            key_name=self._key,
            queue_name=lair.queue_name,
            file_handle=handle,
        )

    def _look_around(self) -> dict[Path, Look]:
        """Every file but the prisoner's: what is in its folder, and its refusals. Folders are known by their names."""
        places = (path for top in (self.home.root, self.runtime) for path in top.rglob("*"))
        outside = (path for path in places if path != self.own_folder and self.own_folder not in path.parents)
        refusals = self.home.logs / "refusals" / f"{INSTANCE}.jsonl"
        return {path: _look_at(path) for path in outside if path != refusals}

    def _clear_outside(self) -> None:
        """Remove what an intruder, or a peer that was killed, may have left beyond the folder of the world."""
        for path in (SHORT_FOLDER / f"{INTRUDER}{self._tag}", Path(self._shared), Path(f"{self._shared}-intruder")):
            path.unlink(missing_ok=True)
        with suppress(OSError, NotHereError):
            call("mq_unlink", f"oneiros-probe-{self._tag}".encode())
        for name in (self._key, f"{self._key}-secret"):
            with suppress(OSError, NotHereError):
                call("keyctl", UNLINK_KEY, self._find_key(name), SESSION_KEYRING)
        for find, control in (("msgget", "msgctl"), ("shmget", "shmctl")):
            with suppress(OSError, NotHereError):
                call(control, call(find, self._shared_key, 0, 0), IPC_REMOVE, None)


def _make_pool(path: Path, secret: str) -> None:
    library = sqlite_library.load()
    database = Database(library, str(path), READ_WRITE | CREATE)
    try:
        database.execute("CREATE TABLE dreams (id TEXT PRIMARY KEY, tensor BLOB)")
        database.execute(f"INSERT INTO dreams VALUES ('{secret}', zeroblob(8192))")  # noqa: S608 - our own hexadecimal
    finally:
        database.close()


def _look_at(path: Path) -> Look:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return Look(found.st_mode, found.st_uid, found.st_ino, 0, 0, 0, 0, "")
    return Look(
        found.st_mode,
        found.st_uid,
        found.st_ino,
        found.st_nlink,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def _culprit_of(path: Path) -> str:
    """The attempt that a changed file speaks against."""
    name = path.name.removeprefix(INTRUDER) if path.name.startswith(INTRUDER) else path.stem
    names = {attempt.name for attempt in ATTEMPTS}
    return {"folder": "home-folder", "fifo": "home-fifo"}.get(name, name if name in names else "")
