"""What the process of a night is told, and what it answers: one JSON line each way, over a pipe.

In: an order and the key of the home. Out: the same in the child; then its result. The key is in no file of the child's,
no argument and no environment.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from schemas.isolation import Rung
from schemas.night import DAY_NS, Source, begin_of
from schemas.night_places import NIGHTS, inputs_folder, night_folder
from schemas.night_settings import RuntimeSettings

Mode = Literal["run", "replay"]
OWN_INPUTS: Final = ("logs", "journal", "runs")
"""Folders of a home that a night reads beside the snapshot."""


@dataclass(frozen=True)
class NightOrder:
    """One night to be lived, or to be compared."""

    night_id: str
    date: str
    source: Source
    root: str
    """Of the other system's files; empty for our own day."""
    is_seeds_only: bool
    is_parity: bool
    settings_json: str
    home: str
    rung: Rung
    snapshot_sha256: str = ""
    """Of the snapshot of the pool; empty where there is none."""
    mode: Mode = "run"
    is_partial: bool = False
    """Whether the day was not over when its inputs were taken."""

    @property
    def settings(self) -> RuntimeSettings:
        """The settings of the night; raises ValueError."""
        return RuntimeSettings.model_validate_json(self.settings_json)

    @property
    def window(self) -> tuple[int, int]:
        """Beginning and end of the day, ns since the Unix epoch; the end is excluded."""
        begin = begin_of(self.date)
        return begin, begin + DAY_NS

    @property
    def nights(self) -> Path:
        """The folder of all nights, the only one that is written to."""
        return Path(self.home) / NIGHTS

    @property
    def reads(self) -> tuple[Path, ...]:
        """What it may look at."""
        home = Path(self.home)
        if self.source == "eqnet":
            return (Path(self.root),)
        return (home / inputs_folder(self.date), *(home / name for name in OWN_INPUTS))

    @property
    def folder(self) -> Path:
        """What this night leaves behind."""
        return Path(self.home) / night_folder(self.date)


class Told(NamedTuple):
    """What the child reads."""

    order: NightOrder
    key: bytes


Result = dict[str, Any]
"""Plain JSON values: `report` or `replay`, and `manifest`; or `problem`."""


def to_line(told: Told) -> bytes:
    """One line."""
    return json.dumps({"order": asdict(told.order), "key": told.key.hex()}).encode() + b"\n"


def from_line(line: bytes) -> Told:
    """What is in it; raises ValueError, TypeError, KeyError."""
    told = json.loads(line)
    return Told(NightOrder(**told["order"]), bytes.fromhex(told["key"]))


def to_result_line(result: Result) -> bytes:
    """One line."""
    return json.dumps(result).encode() + b"\n"
