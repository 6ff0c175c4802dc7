"""Attempts on files: the pool, other actors' folders, the home, the machine."""

import ctypes
import os
import sys
from collections.abc import Callable
from threading import Thread
from typing import Final

from supervisor.probe import sqlite_library
from supervisor.probe.attempt import Attempt, Evidence, Facts, NotHereError, told
from supervisor.probe.sqlite_library import Database
from supervisor.probe.system_calls import AT_FDCWD, call, open_bare, read_bare

GRAFFITI: Final = b"the prisoner was here"
HANDLE_BYTES: Final = 128
_libc = ctypes.CDLL(None, use_errno=True)


def _load_sqlite() -> ctypes.CDLL | None:
    try:
        return sqlite_library.load()
    except (OSError, AttributeError):
        return None


_SQLITE: Final = _load_sqlite()
"""Loaded with the imports, as nothing can be once the box is closed."""


def _reading(place: Callable[[Facts], str]) -> Callable[[Facts], str]:
    return lambda facts: told(read_bare(place(facts)))


def _making(folder: Callable[[Facts], str], name: str) -> Callable[[Facts], str]:
    def run(facts: Facts) -> str:
        os.close(open_bare(facts.intruder(folder(facts), name), os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        return "a file of its own is there"

    return run


def _scribble(facts: Facts, name: str, flags: int) -> str:
    fd = open_bare(facts.victim(name), os.O_WRONLY | flags)
    try:
        return f"{os.write(fd, GRAFFITI)} bytes written"
    finally:
        os.close(fd)


def _overwrite(facts: Facts) -> str:
    fd = open_bare(facts.victim("pool-overwrite"), os.O_RDWR)
    try:
        return f"{os.pwrite(fd, GRAFFITI, 4096)} bytes written at 4096"
    finally:
        os.close(fd)


def _rename(facts: Facts) -> str:
    os.rename(facts.victim("pool-rename"), facts.intruder(facts.own_folder, "pool-rename"))
    return "moved into its own folder"


def _replace(facts: Facts) -> str:
    os.rename(_own_file(facts, "pool-replace"), facts.victim("pool-replace"))
    return "a file of its own is in the place of the pool"


def _own_file(facts: Facts, name: str) -> str:
    path = facts.intruder(facts.own_folder, name)
    os.close(open_bare(path, os.O_WRONLY | os.O_CREAT))
    return path


def _hard_link(facts: Facts) -> str:
    link = facts.intruder(facts.own_folder, "pool-hard-link")
    os.link(facts.victim("pool-hard-link"), link)
    return told(read_bare(link))


def _follow_symlink(facts: Facts) -> str:
    link = facts.intruder(facts.own_folder, "pool-symlink-read")
    os.symlink(facts.pool_file, link)
    return told(read_bare(link))


def _symlink_over(facts: Facts) -> str:
    target = facts.victim("pool-symlink-over")
    os.unlink(target)
    os.symlink(facts.own_folder, target)
    return "a link into its own folder is in the place of the pool"


def _unlink(facts: Facts) -> str:
    os.unlink(facts.victim("pool-unlink"))
    return "removed"


def _truncate(facts: Facts) -> str:
    if _libc.truncate(facts.victim("pool-truncate").encode(), ctypes.c_long(0)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "truncate")
    return "cut to nothing"


def _chmod(facts: Facts) -> str:
    os.chmod(facts.victim("pool-chmod"), 0o777)  # noqa: S103 - what an intruder would do
    return "open to everybody"


def _chown(facts: Facts) -> str:
    os.chown(facts.victim("pool-chown"), os.getuid(), os.getgid())
    return "the owner was set"


def _utime(facts: Facts) -> str:
    os.utime(facts.victim("pool-utime"), (1, 1))
    return "dated 1970"


def _setxattr(facts: Facts) -> str:
    os.setxattr(facts.victim("pool-setxattr"), "user.oneiros", GRAFFITI)
    return "an attribute was set"


def _sqlite_read(facts: Facts) -> str:
    database = Database(_SQLITE, facts.pool_file)
    try:
        return told(database.first("SELECT id FROM dreams"))
    finally:
        database.close()


def _sqlite_write(facts: Facts) -> str:
    database = Database(_SQLITE, facts.victim("pool-sqlite-write"), sqlite_library.READ_WRITE)
    try:
        database.execute("DELETE FROM dreams")
    finally:
        database.close()
    return "all dreams deleted"


def _list_pool(facts: Facts) -> str:
    return _list(facts.victims)


def _list_home(facts: Facts) -> str:
    return _list(facts.home)


def _list(folder: str) -> str:
    fd = open_bare(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return told(os.fsencode(" ".join(os.listdir(fd))))
    finally:
        os.close(fd)


def _stat(facts: Facts) -> str:
    return f"{os.stat(facts.pool_file).st_size} bytes long"


def _in_a_thread(facts: Facts) -> str:
    outcomes: list[str | OSError] = []

    def read() -> None:
        try:
            outcomes.append(told(read_bare(facts.pool_file)))
        except OSError as error:
            outcomes.append(error)

    thread = Thread(target=read)
    thread.start()
    thread.join()
    if isinstance(outcomes[0], OSError):
        raise outcomes[0]
    return outcomes[0]


def _from_own_folder(facts: Facts) -> str:
    folder = open_bare(facts.own_folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.close(open_bare("../intruder-parent-by-descriptor", os.O_WRONLY | os.O_CREAT | os.O_EXCL, folder))
        return "a file of its own is beside its folder"
    finally:
        os.close(folder)


def _through_own_descriptor(facts: Facts) -> str:
    folder = open_bare(facts.own_folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        ups = "/..".join("" for _ in facts.own_folder.split("/"))
        return told(read_bare(f"/proc/self/fd/{folder}{ups}{facts.pool_file}"))
    finally:
        os.close(folder)


def _make_fifo(facts: Facts) -> str:
    os.mkfifo(facts.intruder(facts.home, "fifo"))
    return "a pipe of its own is in the home"


def _make_folder(facts: Facts) -> str:
    os.mkdir(facts.intruder(facts.home, "folder"))
    return "a folder of its own is in the home"


def _write_tmp(facts: Facts) -> str:
    os.close(open_bare(facts.temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    return "a file of its own is in /tmp"


def _read_passwd(_facts: Facts) -> str:
    return f"{read_bare('/etc/passwd').count(10)} accounts"


def _ask_handle(facts: Facts) -> str:
    return f"{len(handle_of(facts.pool_file))} bytes of handle"


def _open_handle(facts: Facts) -> str:
    if facts.file_handle is None:
        raise NotHereError("the file system gives no handles")
    handle = ctypes.create_string_buffer(bytes.fromhex(facts.file_handle))
    fd = call("open_by_handle_at", AT_FDCWD, handle, os.O_RDONLY)
    try:
        return told(os.read(fd, 1 << 16))
    finally:
        os.close(fd)


def handle_of(path: str) -> bytes:
    """The kernel's handle of the file at `path` (open_by_handle_at(2)); raises OSError."""
    handle = ctypes.create_string_buffer(HANDLE_BYTES.to_bytes(4, sys.byteorder), 8 + HANDLE_BYTES)
    mount = ctypes.create_string_buffer(8)
    call("name_to_handle_at", AT_FDCWD, os.fsencode(path), handle, mount, 0)
    return handle.raw[: 8 + int.from_bytes(handle.raw[:4], sys.byteorder)]


def _attempt(name: str, evidence: Evidence, run: Callable[[Facts], str]) -> Attempt:
    return Attempt(name, "files", evidence, run)


ATTEMPTS: Final = (
    _attempt("pool-read", "secret", _reading(lambda facts: facts.pool_file)),
    _attempt("pool-read-in-thread", "secret", _in_a_thread),
    _attempt("pool-list", "secret", _list_pool),
    _attempt("pool-append", "trace", lambda facts: _scribble(facts, "pool-append", os.O_APPEND)),
    _attempt("pool-overwrite", "trace", _overwrite),
    _attempt("pool-empty", "trace", lambda facts: _scribble(facts, "pool-empty", os.O_TRUNC)),
    _attempt("pool-rename", "trace", _rename),
    _attempt("pool-replace", "trace", _replace),
    _attempt("pool-hard-link", "trace", _hard_link),
    _attempt("pool-symlink-read", "secret", _follow_symlink),
    _attempt("pool-symlink-over", "trace", _symlink_over),
    _attempt("pool-unlink", "trace", _unlink),
    _attempt("pool-truncate", "trace", _truncate),
    _attempt("pool-chmod", "trace", _chmod),
    _attempt("pool-chown", "trace", _chown),
    _attempt("pool-utime", "trace", _utime),
    _attempt("pool-setxattr", "trace", _setxattr),
    _attempt("pool-sqlite-read", "secret", _sqlite_read),
    _attempt("pool-sqlite-write", "trace", _sqlite_write),
    _attempt("pool-handle", "word", _ask_handle),
    _attempt("pool-open-by-handle", "secret", _open_handle),
    _attempt("pool-by-own-root", "secret", _reading(lambda facts: f"/proc/self/root{facts.pool_file}")),
    _attempt("pool-by-own-descriptor", "secret", _through_own_descriptor),
    _attempt("peer-journal-read", "secret", _reading(lambda facts: facts.peer_journal)),
    _attempt("peer-folder-write", "trace", _making(lambda facts: facts.peer_folder, "peer-folder-write")),
    _attempt("peer-log-read", "secret", _reading(lambda facts: facts.peer_log)),
    _attempt("key-read", "secret", _reading(lambda facts: facts.key_file)),
    _attempt("home-list", "secret", _list_home),
    _attempt("home-write", "trace", _making(lambda facts: facts.home, "home-write")),
    _attempt("home-folder", "trace", _make_folder),
    _attempt("home-fifo", "trace", _make_fifo),
    _attempt("parent-by-descriptor", "trace", _from_own_folder),
    _attempt("runtime-write", "trace", _making(lambda facts: facts.runtime, "runtime-write")),
    _attempt("tmp-write", "trace", _write_tmp),
    _attempt("passwd-read", "word", _read_passwd),
    Attempt("pool-stat", "files", "word", _stat, is_conceded=True),
)
"""The pool is what most of them are after; each that would harm it has a copy of its own."""
