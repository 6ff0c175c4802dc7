"""Dreams a second of a boxed dreamer against the same dreamer without a box.

In: nothing. Out: one JSON object: for each rung of the ladder that this machine has, the median of its dreams a second
and of the processor time of a dream, each as a ratio to a run without a box right before it. Run:
`make bench BENCH=boxing`. Exit code 1 when a rate is under its target. The process is the dreamer's own, started as the
supervisor starts it, dreaming as fast as it can; nobody listens, so that it dreams alone.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bus.box.ladder import offers
from bus.control_inbox import ControlInbox
from bus.inheritance import arguments_for
from bus.keys import KeyBook
from bus.recovery import read_history
from bus.reporting import SUPERVISOR
from schemas.control import Ready
from schemas.isolation import Rung
from schemas.manifest import RunManifest, Seat
from schemas.roles import module_of
from supervisor.configuration import Sources, load_configuration
from supervisor.equipment import Equipment
from supervisor.home import Home
from supervisor.inputs import prepare_inputs, store_inputs
from supervisor.manifest import Protection, make_manifest
from supervisor.processes import start_process
from supervisor.runs import RunFolder

TARGET_RATIO = 0.97
DREAMER = Seat(instance="dreamer", role="dreamer")
SECONDS, PAIRS = 2.0, 15
MEASURED: tuple[Rung, ...] = ("landlock+seccomp", "seccomp-no-open")
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Pace:
    """How fast one process dreamt."""

    dreams_per_s: float
    cpu_per_dream_us: float


class Place:
    """A home with the sample inputs, in which one dreamer after another lives."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.create()
        (self.home.logs / "refusals").mkdir(parents=True)
        self.runtime = folder / "rt"
        self.runtime.mkdir(mode=0o700)
        settings = ("dreamer.rate_hz=0", "journal.segment_mib=4096")
        self._configuration = load_configuration(Sources(self.home, None, settings, ()))
        self._inputs = prepare_inputs(self._configuration.settings.run)
        store_inputs(self._inputs, self.home.inputs)
        self._runs = 0

    def dream(self, rung: Rung, seconds: float) -> Pace:
        """The pace of a fresh dreamer under `rung` over `seconds`."""
        manifest = self._begin_run(rung)
        equipment = Equipment(self.runtime, manifest.seats, KeyBook())
        control = ControlInbox(self.runtime, equipment.ring(SUPERVISOR), (DREAMER.instance,))
        try:
            with equipment.of(DREAMER) as handed:
                told = ["--home", str(self.home.root), "--run", manifest.run_id, "--instance", DREAMER.instance]
                told += ["--epoch", "1", "--runtime", str(self.runtime), *arguments_for(handed.descriptors)]
                command = [sys.executable, "-P", "-m", module_of(DREAMER.role), *told]
                log, descriptors = self.home.logs / "dreamer.log", tuple(handed.descriptors.values())
                process = start_process(command, self.home.root, log, descriptors)
            began = self._await_ready(control)
            time.sleep(seconds)
            process.signal(signal.SIGTERM)
            lasted_s = time.monotonic() - began
            _, status, usage = os.wait4(process.pid, 0)
            if status:
                raise SystemExit(f"the dreamer ended with {status}: {log.read_text()[-2000:]}")
        finally:
            control.close()
            equipment.close()
        folder = self.home.journal / manifest.run_id / DREAMER.instance
        dreams = read_history(folder).last.step
        shutil.rmtree(folder)
        return Pace(dreams / lasted_s, (usage.ru_utime + usage.ru_stime) / dreams * 1e6)

    def _begin_run(self, rung: Rung) -> RunManifest:
        self._runs += 1
        protection = Protection(rung, "curve")
        manifest = make_manifest(
            self._configuration, self._inputs.sha256, (DREAMER,), self._runs, datetime.now(UTC), protection
        )
        RunFolder(self.home, manifest.run_id).write_manifest(manifest)
        return manifest

    @staticmethod
    def _await_ready(control: ControlInbox) -> float:
        patience = time.monotonic() + PATIENCE_S
        while time.monotonic() < patience:
            if any(isinstance(message, Ready) for message in control.drain(100)):
                return time.monotonic()
        raise SystemExit("the dreamer did not become ready")


def measure(place: Place, rung: Rung, pairs: int, seconds: float) -> dict[str, float]:
    """The medians of `pairs` runs under `rung`, each beside a run without a box; which comes first alternates."""
    boxed, free = [], []
    for pair in range(pairs):
        order: tuple[Rung, Rung] = (rung, "none") if pair % 2 else ("none", rung)
        paces = {each: place.dream(each, seconds) for each in order}
        boxed.append(paces[rung])
        free.append(paces["none"])
    both = list(zip(boxed, free, strict=True))
    return {
        "episodes_per_s": round(statistics.median(pace.dreams_per_s for pace in boxed), 1),
        "episodes_per_s_without": round(statistics.median(pace.dreams_per_s for pace in free), 1),
        "rate_ratio": round(statistics.median(one.dreams_per_s / other.dreams_per_s for one, other in both), 4),
        "cpu_ratio": round(statistics.median(other.cpu_per_dream_us / one.cpu_per_dream_us for one, other in both), 4),
    }


def main() -> int:
    """Print the figures; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description="Dreams a second in and out of the box.")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each run")
    arguments = parser.parse_args()
    available = {offer.rung for offer in offers() if offer.is_available}
    with tempfile.TemporaryDirectory(prefix="oneiros-boxing-") as folder:
        place = Place(Path(folder))
        place.dream("none", arguments.seconds)
        found = {
            rung: measure(place, rung, arguments.pairs, arguments.seconds) for rung in MEASURED if rung in available
        }
    targets = {
        rung: {"rate_ratio": TARGET_RATIO, "met": row["rate_ratio"] >= TARGET_RATIO} for rung, row in found.items()
    }
    print(json.dumps({"benchmark": "boxing", "rungs": found, "targets": targets}, indent=2))
    return 0 if all(target["met"] for target in targets.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
