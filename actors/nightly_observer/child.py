"""The process of one night: it closes its box before it looks at anything, and leaves when the night is over.

In: an order and the key of the home, as one line on standard input. Out: one line of JSON on standard output. All that
it needs is imported before the box closes; afterwards it reads its inputs, writes in the one folder of nights, and
reaches nothing else: no other file, no socket, no program. It opens no descriptor before that but those three, starts
no thread, dumps no core, and dies with whoever started it. Reaching for more ends it with `EXIT_DENIED`; what it then
says is the name of the fault alone, for a message of the system may hold a path.

Run by the nightly-observer, and by `supervisor nightly replay`, as `python -m actors.nightly_observer.child`.
"""

import ctypes
import errno
import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

from actors.nightly_observer.living import live
from actors.nightly_observer.ordering import NightOrder, Result, from_line, to_result_line
from actors.nightly_observer.sealing import Seal, seal_of
from bus.box.box import Walls, enter
from bus.box.landlock import NEWEST_ABI, landlock_abi
from bus.box.limits import Limits, apply
from schemas.errors import OneirosError
from schemas.night import Source

EXIT_DENIED: Final = 77
EXIT_FAILED: Final = 70
MEMORY_BYTES: Final = 8 * 1024**3
FILE_BYTES: Final = 64 * 1024**2
LARGEST_LINE: Final = 1024 * 1024
PR_SET_PDEATHSIG: Final = 1
DENIED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
LATE: Final = (
    "encodings.utf_8_sig",
    "encodings.idna",
    "numpy.fft",
    "numpy.ma",
    "sqlite3",
    "zstandard",
)
"""What is imported when first used, and by then out of reach."""
READER_OF: Final[dict[Source, str]] = {
    "own": "actors.nightly_observer.collectors.reading",
    "eqnet": "actors.nightly_observer.collectors.eqnet",
}

Work = Callable[[NightOrder, bytes, Seal, str], Result]


def main(work: Work = live) -> int:
    """Live the night that standard input tells; the exit code. `work` is what a night is."""
    sys.excepthook = _tell_name
    told = from_line(sys.stdin.buffer.readline(LARGEST_LINE))
    order = told.order
    if order.rung != "bwrap":  # which ends what it started itself, and hides who that was
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    apply(Limits(memory_bytes=MEMORY_BYTES, file_bytes=FILE_BYTES))
    os.umask(0o077)
    seal = seal_of(order.settings.dream.storage)
    for name in (READER_OF[order.source], *LATE):
        importlib.import_module(name)
    try:
        sandbox = _close_box(order)
        result = work(order, told.key, seal, sandbox)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "EIO")
        return _fail(f"{name}: the night was not allowed to" if error.errno in DENIED else name, error)
    except OneirosError as error:
        return _fail(type(error).__name__, error)
    sys.stdout.buffer.write(to_result_line(result))
    sys.stdout.buffer.flush()
    return 0


def _close_box(order: NightOrder) -> str:
    """Close it; what holds then, as far as this process can see. Raises BoxError."""
    reads = tuple(path for path in order.reads if path.exists())
    is_run, abi = order.mode == "run", min(landlock_abi(), NEWEST_ABI)
    enter(order.rung, Walls(reads, (order.nights,)) if is_run else Walls((*reads, order.nights)))
    if order.rung == "landlock+seccomp":
        return f"landlock_abi{abi}"
    return "bwrap" if os.statvfs(order.home).f_flag & os.ST_RDONLY else "none"


def _fail(what: str, error: Exception) -> int:
    """Tell what went wrong, without a value of it; the exit code."""
    sys.stdout.buffer.write(to_result_line({"problem": what}))
    sys.stdout.buffer.flush()
    return EXIT_DENIED if isinstance(error, OSError) and error.errno in DENIED else EXIT_FAILED


def _tell_name(kind: type[BaseException], _error: BaseException, _traceback: object) -> None:
    """An exception that nobody expected: its message may hold what no log may."""
    sys.stderr.write(f"{kind.__name__}\n")


if __name__ == "__main__":
    raise SystemExit(main())
