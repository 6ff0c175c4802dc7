"""What evaluations left in a home: packs, baselines, the lines of the evolution, read without trust.

In: a home. Out: packs by domain, in the order of their generations; baselines; evolution lines; and for every file or
line that cannot be read its name and the reason. Nothing is mended, nothing is left out silently.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.regime_runner.baselines import Baselines, BaselinesDamagedError
from actors.regime_runner.pack_files import read_pack
from actors.regime_runner.packing import CANDIDATES
from actors.regime_runner.places import BASELINES, evolution_path
from schemas.candidate_pack import CandidatePack
from schemas.regime_settings import DOMAINS
from schemas.regimes import Domain
from supervisor.home import Home


@dataclass
class Kept:
    """Everything that was read."""

    packs: dict[Domain, list[CandidatePack]] = field(default_factory=dict)
    lines: dict[Domain, list[dict[str, Any]]] = field(default_factory=dict)
    baselines: Baselines = field(default_factory=Baselines)
    faults: list[str] = field(default_factory=list)
    """Files and lines that cannot be read, with the reason."""

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Those that have packs."""
        return tuple(domain for domain in DOMAINS if self.packs.get(domain))

    def latest(self, domain: Domain) -> list[CandidatePack]:
        """The packs of the evaluation that ended last."""
        packs = self.packs.get(domain, [])
        newest = max(packs, key=lambda pack: (pack.artifacts.created_at_utc, pack.generation), default=None)
        return [pack for pack in packs if newest and pack.artifacts.evaluation_id == newest.artifacts.evaluation_id]


def read_kept(home: Home, only: Domain | None = None) -> Kept:
    """What is kept of all domains, or of one."""
    kept = Kept()
    for domain in DOMAINS:
        if only in (None, domain):
            _read_packs(home, domain, kept)
            _read_lines(home, domain, kept)
    path = home.root / BASELINES
    try:
        kept.baselines = Baselines.from_bytes(path.read_bytes() if path.is_file() else b"")
    except (BaselinesDamagedError, OSError) as error:
        kept.faults.append(str(error))
    return kept


def read_packs(home: Home, paths: tuple[str, ...]) -> tuple[list[CandidatePack], list[str]]:
    """The packs at `paths`, relative to `home`, and what is wrong with those that cannot be read."""
    packs, faults = [], []
    for path in paths:
        try:
            packs.append(read_pack((home.root / path).read_bytes()))
        except (OSError, ValueError) as error:
            faults.append(f"{path}: {_reason(error)}")
    return packs, faults


def _read_packs(home: Home, domain: Domain, kept: Kept) -> None:
    folder = home.root / CANDIDATES / domain
    names = sorted(path.name for path in folder.glob("*.json")) if folder.is_dir() else []
    packs, faults = read_packs(home, tuple(f"{CANDIDATES}/{domain}/{name}" for name in names))
    kept.packs[domain] = sorted(packs, key=lambda pack: (pack.generation, pack.cand_id))
    kept.faults += faults


def _read_lines(home: Home, domain: Domain, kept: Kept) -> None:
    path: Path = home.root / evolution_path(domain)
    found = kept.lines.setdefault(domain, [])
    try:
        text = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        kept.faults.append(f"{evolution_path(domain)}: {_reason(error)}")
        return
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            found.append({**json.loads(line)})
        except (ValueError, TypeError, RecursionError) as error:
            kept.faults.append(f"{evolution_path(domain)} line {number}: {_reason(error)}")


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.splitlines()[0] if text else type(error).__name__
