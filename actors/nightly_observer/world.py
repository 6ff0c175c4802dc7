"""The part of the world that nights happen in: a fresh process for each, and the folders that it needs.

In: the ask `night`, an order without its home. Out: the observation `night`, a `NightReport` in JSON. A night that
cannot be lived, or ends otherwise, is a report that says so. The key of the home is made before the first night. What a
night looked at is kept beside it, for the user alone, until the dreams of that night are over. A night that is being
lived ends with this process; the core asks for it again.
"""

import json
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from actors.nightly_observer.anchors import KEY_BYTES
from actors.nightly_observer.expiry import is_date, over
from actors.nightly_observer.ordering import NightOrder
from actors.nightly_observer.starting import Ended, Start, rung_of, start_night
from bus.answering import Answering
from bus.box.errors import IsolationRefusedError
from bus.core import Ask, Observed
from bus.files import write_atomically
from schemas.errors import OneirosError
from schemas.isolation import Demand, Rung
from schemas.night_places import INPUTS, KEY_FILE, MANIFEST_FILE, inputs_folder, night_folder

NIGHT: Final = "night"
PRIVATE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700


class KeyFaultError(OneirosError):
    """The key of a home cannot be used."""

    is_permanent = True


@dataclass(frozen=True)
class Boxing:
    """What is to be between a night and the rest of the machine."""

    strongest: Rung
    demand: Demand


class NightWorld(Answering):
    """Nights for one observer process (`bus.core.World`)."""

    def __init__(self, home: Path, boxing: Boxing, start: Start, note: Callable[[str], None]) -> None:
        """Nights of `home`; `note` is told of what fails beside them."""
        super().__init__()
        self._home = home.resolve()
        self._boxing = boxing
        self._start = start
        self._note = note
        self._threads: list[threading.Thread] = []

    def ask(self, ask: Ask) -> None:
        """Begin a night; what is not known is passed over, as a later version may ask more."""
        if ask.name == NIGHT:
            thread = threading.Thread(target=self._live, args=(json.loads(ask.data),), name=NIGHT, daemon=True)
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
            thread.start()

    def _live(self, asked: dict[str, Any]) -> None:
        ended = self._ended(asked)
        result = ended.result or {}
        with suppress(OSError):
            self._keep_manifest(asked, result.get("manifest"))
            self._expire_inputs(asked)
        report = result.get("report") or failed_report(asked, ended.problem or "no result")
        self.tell(Observed(NIGHT, json.dumps(report).encode()))

    def _ended(self, asked: dict[str, Any]) -> Ended:
        try:
            order = NightOrder(**asked, home=str(self._home), rung=rung_of(self._boxing.strongest, self._boxing.demand))
            make_folders(self._home, order.date)
            return start_night(order, key_of(self._home), self._start)
        except (IsolationRefusedError, KeyFaultError) as error:
            return Ended(None, str(error))
        except OSError as error:
            return Ended(None, f"the folder of the night cannot be made: {error.strerror or type(error).__name__}")

    def _keep_manifest(self, asked: dict[str, Any], manifest: object) -> None:
        """Note what was looked at, so that a replay can name what has changed."""
        if manifest is not None:
            path = self._home / inputs_folder(asked["date"]) / MANIFEST_FILE
            note = {"source": asked["source"], "root": asked["root"], "is_parity": asked["is_parity"]}
            write_atomically(path, json.dumps({**note, "files": manifest}).encode(), PRIVATE)

    def _expire_inputs(self, asked: dict[str, Any]) -> None:
        ttl_days = json.loads(asked["settings_json"])["dream"]["ttl_days"]
        folder = self._home / INPUTS
        dates = [each.name for each in os.scandir(folder) if is_date(each.name) and each.is_dir(follow_symlinks=False)]
        for date in over(dates, asked["date"], ttl_days):
            shutil.rmtree(folder / date)
            self._note(f"inputs of the night of {date} are over and removed")


def make_folders(home: Path, date: str) -> None:
    """Make what a night of `date` needs, for the user alone. Raises OSError."""
    for place in (night_folder(date), inputs_folder(date)):
        path = home
        for part in Path(place).parts:
            path /= part
            with suppress(FileExistsError):
                path.mkdir(mode=PRIVATE_FOLDER)
            if not stat.S_ISDIR(path.lstat().st_mode):
                raise NotADirectoryError(f"{path} is a link or a file, not a folder")


def key_of(home: Path) -> bytes:
    """The key of `home`, made when there is none. Raises KeyFaultError, OSError."""
    path = home / KEY_FILE
    if not path.is_symlink() and not path.exists():
        made = path.with_name(f".{path.name}.made")
        write_atomically(made, secrets.token_bytes(KEY_BYTES), PRIVATE)
        with suppress(FileExistsError):  # whoever was first made the key
            os.link(made, path)
        made.unlink()
    return read_key(path)


def read_key(path: Path) -> bytes:
    """The key in the file at `path`. Raises KeyFaultError, OSError."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o077:
        raise KeyFaultError(
            f"others may read the key of the nights: chmod 600 {KEY_FILE} of the home, or make it a file"
        )
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise KeyFaultError(
            f"the key of the nights, {KEY_FILE} of the home, has {len(key)} bytes, not {KEY_BYTES}; put it back from a "
            "copy, or remove it: then earlier nights cannot be held against what they committed to"
        )
    return key


def failed_report(asked: dict[str, Any], problem: str) -> dict[str, Any]:
    """The report on a night of which nothing came."""
    return {
        "night_id": asked["night_id"],
        "date": asked["date"],
        "source": asked["source"],
        "standing": "failed",
        "block": None,
        "problem": problem[:400],
        "notes": [],
        "is_unchanged": False,
        "sha256": "",
    }
