"""The process that tries to get out, and how it is told what there is to get at.

In: the facts of a world. Out: one JSON line for each thing tried, as soon as it is known, on standard output: a claim,
or a refusal; a prisoner that dies names what it died of by what is missing. In the box the battery is run by
`supervisor.probe.impostor`; run alone, `--facts FILE`, this is the same process without any box.
"""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Final

import numpy as np

from schemas.base import Record
from supervisor.probe.attempt import Facts, NotHereError
from supervisor.probe.attempts import ATTEMPTS

FACTS: Final = "facts.json"
"""In the prisoner's own folder: what it is told about its world."""
JOURNAL: Final = "own-journal"
SIDE: Final = 64


class Told(Record):
    """What became of one thing that was tried."""

    name: str
    claim: str | None = None
    """Proof that it was done."""
    refusal: str | None = None
    """Why it was not done: the name of the errno, or what happened instead."""
    is_impossible: bool = False
    """Whether this machine does not have what it takes."""


def battery(facts: Facts, journal: int, opens_files: bool) -> Iterator[Told]:
    """Try what has to work, then every way out; `journal` is a descriptor of a file of its own."""
    for name, need in _needs(facts, journal, opens_files):
        yield _try(name, need)
    for attempt in ATTEMPTS:
        yield _try(attempt.name, partial(attempt.run, facts))


def open_journal(facts: Facts) -> int:
    """A descriptor of the file that `battery` appends to; to be opened before the box is closed."""
    path = Path(facts.own_folder) / JOURNAL
    journal = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    _multiply()  # what numpy loads late is loaded now
    return journal


def _try(name: str, run: Callable[[], str]) -> Told:
    try:
        return Told(name=name, claim=run())
    except NotHereError as error:
        return Told(name=name, refusal=str(error), is_impossible=True)
    except OSError as error:
        return Told(name=name, refusal=errno.errorcode.get(error.errno or 0, str(error)))
    except Exception as error:  # whatever an attempt met, the next one is tried
        return Told(name=name, refusal=f"{type(error).__name__}: {error}")


def _needs(facts: Facts, journal: int, opens_files: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "need-append", lambda: _append(journal)
    yield "need-matrices", _multiply
    yield "need-thread", _run_thread
    yield "need-random", lambda: f"{len(os.urandom(16))} bytes"
    if opens_files:
        yield "need-rotation", lambda: _rotate(Path(facts.own_folder))


def _append(journal: int) -> str:
    written = os.write(journal, b"a step")
    os.fsync(journal)
    return f"{len(os.pread(journal, written, 0))} bytes appended"


def _multiply() -> str:
    matrix = np.eye(SIDE)
    return f"trace {np.trace(matrix @ matrix):.0f}, {np.fft.rfft2(matrix).shape[1]} columns"


def _run_thread() -> str:
    seen: list[str] = []
    thread = Thread(target=seen.append, args=("ran",))
    thread.start()
    thread.join()
    return seen[0]


def _rotate(folder: Path) -> str:
    first, second = folder / "1.seg", folder / "2.seg"
    first.write_bytes(b"frames")
    first.rename(second)
    names = len(os.listdir(folder))
    second.unlink()
    return f"{names} names"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="supervisor.probe.prisoner", description="Started by `supervisor doctor`.")
    parser.add_argument("--facts", type=Path, required=True, help="the world, as JSON")
    return parser.parse_args()


def main() -> int:
    """Try everything without a box; the exit code."""
    facts = Facts.model_validate_json(_arguments().facts.read_bytes())
    for told in battery(facts, open_journal(facts), opens_files=True):
        print(told.model_dump_json(), flush=True)  # noqa: T201 - its output is its report
    return 0


if __name__ == "__main__":
    sys.exit(main())
