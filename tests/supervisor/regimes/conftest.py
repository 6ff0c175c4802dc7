"""A home in which evaluations were made: packs, baselines, evolution lines, as the runner writes them."""

import shutil
from pathlib import Path

import pytest

from actors.regime_runner.baselines import Baselines
from actors.regime_runner.pack_files import pack_bytes
from actors.regime_runner.packs import Candidate, build_pack
from actors.regime_runner.places import BASELINES, evolution_path
from actors.regime_runner.telemetry import evolution_line
from schemas.evidence import REGIMES
from supervisor.home import Home
from tests.actors.regime_runner.written_evidence import context, steady, unavailable

BASE = {"perf": 1000.0, "p95_ms": 10.0}
BETTER = {"perf": 1100.0, "p95_ms": 9.0}
DEFAULT = {"threads": 1}


def unsafe(rows):
    return [
        row.model_copy(update={"trials": tuple(found.model_copy(update={"safe": False}) for found in row.trials)})
        for row in rows
    ]


class EvaluatedHome:
    """Writes what evaluations leave."""

    def __init__(self, folder: Path, known: Baselines | None = None) -> None:
        self.home = Home(folder)
        self.baselines = known or Baselines()
        if known is not None:
            return
        for row in steady(BASE, BASE):
            self.baselines, _ = self.baselines.with_run(row, context(), DEFAULT, is_refresh=False)
        self.write(BASELINES, self.baselines.to_bytes())

    def write(self, path: str, content: bytes) -> None:
        place = self.home.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def add(self, cand_id: str, generation: int, rows, genome=None, **changed):
        candidate = Candidate(generation, cand_id, genome or {"threads": 2}, tuple(rows))
        pack = build_pack(context(**changed), candidate, self.baselines)
        self.write(pack.artifacts.path, pack_bytes(pack))
        return pack

    def evolve(self, generation: int, packs, random_best: float | None = None) -> None:
        path = self.home.root / evolution_path("cpu")
        before = path.read_bytes() if path.exists() else b""
        self.write(
            evolution_path("cpu"), before + evolution_line(context(), generation, packs, REGIMES, 10, 2, random_best)
        )


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> EvaluatedHome:
    """Two generations of cpu: a better, an equal, an unsafe and an unavailable candidate."""
    house = EvaluatedHome(tmp_path_factory.mktemp("written") / "home")
    first = [house.add("gen0_00", 0, steady(BASE, BASE)), house.add("gen0_01", 0, unsafe(steady(BETTER, BASE)))]
    house.evolve(0, first)
    second = [
        house.add("gen1_00", 1, steady(BETTER, BASE)),
        house.add("gen1_01", 1, [unavailable(regime) for regime in REGIMES]),
    ]
    house.evolve(1, second, random_best=0.7)
    return house


@pytest.fixture
def evaluated(written: EvaluatedHome, tmp_path: Path) -> EvaluatedHome:
    """A copy of `written` to change."""
    shutil.copytree(written.home.root, tmp_path / "home")
    return EvaluatedHome(tmp_path / "home", written.baselines)
