"""A regime-runner without a machine: its core, a world that is written down, and a watchdog that says what it is told.

In: how a trial comes out, as a function of its order. Out: everything that the core said, wrote and asked. Inputs come
one at a time, in a fixed order, so that a run is a function of its script; it can be killed before any input.
"""

import hashlib
import heapq
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from actors.regime_runner.blank_result import blank_result
from actors.regime_runner.core import RegimeRunner
from actors.regime_runner.fingerprint import MachineFacts
from actors.regime_runner.house import House
from actors.regime_runner.state import Evaluation
from actors.regime_runner.survey import Survey
from bus.core import Ask, Fired, Input, MessageRef, Observed, Outcome, Received, Started
from bus.memory import START_NS
from bus.randomness import RandomSource
from schemas.base import Message
from schemas.regime_settings import Host
from schemas.regimes import (
    Breach,
    CancelEvaluation,
    CapBreached,
    EvaluateDomain,
    Genome,
    Noise,
    PackWritten,
    Reading,
    SafetyVerdict,
    TrialFinished,
    TrialOrder,
    TrialResult,
    TrialStarted,
)
from schemas.settings import RegimesSettings
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home

CONFIG = Path(__file__).parents[1] / "config"
HOST = Host(
    cpus=(0, 1),
    cores=((0,), (1,)),
    memory_available_bytes=8 << 30,
    scratch_free_bytes=64 << 30,
    programs={"python3": "/usr/bin/python3", "stress-ng": "/usr/bin/stress-ng"},
    versions={"python3": "3.11", "stress-ng": "0.15"},
    modules=(),
    gpus=0,
    packages="/packages",
)
MACHINE = MachineFacts(host="sha256:" + "0" * 16, host_facts={"cpu": "test"}, code_hash="c", tools={}, virtualised=True)


DEFAULT: Genome = {
    "threads": 1,
    "placement": "free",
    "nice": 0,
    "policy": "other",
    "blas_threads": 1,
    "zstd_level": 3,
    "chunk_kb": 64,
}
OTHER: Genome = {**DEFAULT, "threads": 2}
HOT = Breach(cap="temp_peak_c", limit=90.0, value=91.0, unit="C", source="test")


@dataclass(frozen=True)
class Showing:
    """How one trial comes out."""

    perf: float = 100.0
    p95_ms: float = 10.0
    status: str = "done"
    exit_code: int = 0
    errors: int = 0
    pressure: float = 0.0
    written_bytes: int = 0
    watts: float | None = None
    stderr: str = ""
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Watching:
    """What the watchdog says of one trial; None is said by one that is not there."""

    safe: bool | None = True
    breach: Breach | None = None
    temp_c: float | None = None
    applied: dict[str, str] = field(default_factory=dict)


Script = Callable[[TrialOrder, int], Showing]
"""The order of a trial and how many were let go before it -> how it comes out."""
Watch = Callable[[TrialStarted, int], Watching | None]


def settings_with(**changes: Any) -> RegimesSettings:
    """The packaged settings with some changed."""
    found = load_configuration(Sources(Home(Path("/nowhere")))).settings.regimes
    return found.model_copy(update=changes)


def order_of(**changes: Any) -> EvaluateDomain:
    """A small order."""
    plain: dict[str, Any] = {
        "order_id": "o1",
        "domain": "cpu",
        "genome": None,
        "generations": 1,
        "population": 2,
        "profile": "quick",
        "trials": 4,
        "seed": None,
        "sampler": "nsga2",
        "refresh_baseline": False,
        "tier_b": (),
    }
    return EvaluateDomain(**{**plain, **changes})


def steady(order: TrialOrder, number: int) -> Showing:
    """A trial of the same outcome for the same command, place and pair: 3 % of noise, more threads more perf."""
    text = f"{order.argv} {order.regime} {place(order)} {order.nice}"
    draw = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
    threads = next((int(word.removeprefix("--threads=")) for word in order.argv if "--threads=" in word), 1)
    return Showing(perf=100.0 * threads * (1.0 + 0.06 * (draw - 0.5)), p95_ms=10.0 + draw)


class ScriptedRunner:
    """Drives one core, process after process."""

    def __init__(
        self,
        script: Script = steady,
        watch: Watch = lambda _started, _number: Watching(),
        settings: RegimesSettings | None = None,
        host: Host = HOST,
        baselines: bytes = b"",
    ) -> None:
        self.said: list[Message] = []
        self.files: dict[str, bytes] = {}
        self.inputs: list[tuple[Input, int]] = []
        self.orders: list[TrialOrder] = []
        """Trials that were let go."""
        self.notes: list[str] = []
        self.refusals: list[str] = []
        self.epoch = 1
        self.now_ns = START_NS
        self._script, self._watch, self._host = script, watch, host
        self._settings = settings or settings_with(has_random_arm=False, confirmed=0)
        self._queue: deque[Input] = deque()
        self._timers: list[tuple[int, int, str]] = []
        self._prepared: dict[str, TrialOrder] = {}
        self._started = 0
        self._last: Outcome = Outcome()
        self.core = self.make_core()
        self._opening = (
            Started(1),
            Observed("regimes.yaml", (CONFIG / "regimes.yaml").read_bytes()),
            Observed("caps.yaml", (CONFIG / "caps.yaml").read_bytes()),
            Observed("baselines.json", baselines),
            Observed("domain_evolution", b"{}"),
        )
        self._queue.extend(self._opening)

    def make_core(self) -> RegimeRunner:
        """A core of the same run."""
        return RegimeRunner(House(self._settings, 42, "20260101T000000Z-0001", 1, RandomSource(42, 1, "regime-runner")))

    @property
    def evaluation(self) -> Evaluation:
        """What is being carried out."""
        found = self.core.runner.state.evaluation
        assert found is not None
        return found

    def give(self, order: EvaluateDomain | CancelEvaluation) -> "ScriptedRunner":
        """Say `order` to the core."""
        self._queue.append(Received(MessageRef("supervisor", 1, len(self.inputs) + 1), order))
        return self

    def run(self, until_trial: int | None = None) -> "ScriptedRunner":
        """Feed the core until nothing is left to do, or until so many trials were let go."""
        while self._queue or self._is_waiting():
            if until_trial is not None and len(self.orders) >= until_trial:
                break
            self._feed(self._queue.popleft() if self._queue else self._next_timer())
        return self

    def kill(self) -> "ScriptedRunner":
        """Kill the process and start another: what was asked of the world is gone, the state is that of the journal."""
        state, self.core = self.core.snapshot(), self.make_core()
        self.core.restore(state)
        self.epoch += 1
        self._queue = deque([Started(self.epoch)])
        self._timers.clear()
        self._prepared.clear()
        return self

    def report(self, order_id: str = "o1") -> dict[str, Any]:
        """The report of an order."""
        found: dict[str, Any] = json.loads(self.files[f"artifacts/evaluations/{order_id}.json"])
        return found

    def pack(self, cand_id: str = "gen0_00", domain: str = "cpu") -> dict[str, Any]:
        """A pack as it lies on disk."""
        found: dict[str, Any] = json.loads(self.files[f"artifacts/candidates/{domain}/{cand_id}.json"])
        return found

    def messages(self, kind: type[Message]) -> list[Any]:
        """All messages of one kind."""
        return [message for message in self.said if isinstance(message, kind)]

    def _is_waiting(self) -> bool:
        return bool(self._timers) and self.core.runner.state.evaluation is not None

    def _next_timer(self) -> Input:
        at_ns, _, name = heapq.heappop(self._timers)
        self.now_ns = max(self.now_ns, at_ns)
        return Fired(name)

    def _feed(self, event: Input) -> None:
        self.now_ns += 1_000_000
        self.inputs.append((event, self.now_ns))
        self._take(self.core.handle(event, self.now_ns))

    def _take(self, outcome: Outcome) -> None:
        self.notes += [note.text for note in outcome.notes]
        if outcome.refusal is not None:
            self.refusals.append(outcome.refusal)
        for timer in outcome.timers:
            self._timers = [entry for entry in self._timers if entry[2] != timer.name]
            at_ns = self.now_ns + int(timer.delay_s * 1e9)
            heapq.heappush(self._timers, (at_ns, len(self.inputs), timer.name))
        for effect in outcome.effects:
            kept = b"" if effect.offset is None else self.files.get(effect.path, b"")[: effect.offset]
            self.files[effect.path] = kept + effect.content
        for send in outcome.sends:
            self.said.append(send.message)
            self._hear(send.message)
        for ask in outcome.asks:
            self._answer(ask)
        if outcome.wants_successor:
            self.kill()

    def _answer(self, ask: Ask) -> None:
        match ask.name:
            case "survey":
                survey = Survey(host=self._host, machine=MACHINE)
                self._queue.append(Observed("survey", survey.model_dump_json().encode()))
            case "prepare":
                order = TrialOrder.model_validate_json(ask.data)
                self._prepared[order.trial_id] = order
                told = {"trial_id": order.trial_id, "pid": 4711, "started_ticks": 1}
                self._queue.append(Observed("prepared", json.dumps(told).encode()))
            case "drop" if ask.data.decode() in self._prepared:
                dropped = blank_result(self._prepared.pop(ask.data.decode()), "killed", "told to drop it")
                self._queue.append(Observed("trial", dropped.model_dump_json().encode()))
            case "go" if ask.data.decode() in self._prepared:
                order = self._prepared.pop(ask.data.decode())
                showing = self._script(order, len(self.orders))
                self.orders.append(order)
                self._queue.append(Observed("trial", result_of(order, showing).model_dump_json().encode()))

    def _hear(self, message: Message) -> None:
        """Be the watchdog."""
        match message:
            case TrialStarted():
                self._started += 1
                self._watching = self._watch(message, self._started)
                if self._watching is not None:
                    self._say(message.trial_id, "armed", replace(self._watching, safe=None, breach=None))
            case TrialFinished() if self._watching is not None:
                if self._watching.breach is not None:
                    breached = CapBreached(trial_id=message.trial_id, breach=self._watching.breach, killed=1)
                    self._queue.append(Received(MessageRef("safety-watchdog", 1, len(self.inputs)), breached))
                self._say(message.trial_id, "final", self._watching)

    def _say(self, trial_id: str, phase: Any, watching: Watching) -> None:
        temp = Reading(
            value=watching.temp_c,
            unit="C",
            source=None if watching.temp_c is None else "test",
            reason="no sensor" if watching.temp_c is None else None,
        )
        verdict = SafetyVerdict(
            trial_id=trial_id,
            phase=phase,
            applied=watching.applied,
            unchecked=(),
            safe=watching.safe if watching.breach is None else False,
            readings={"temp_peak_c": temp},
            breaches=() if watching.breach is None else (watching.breach,),
            injected=False,
        )
        self._queue.append(Received(MessageRef("safety-watchdog", 1, len(self.inputs)), verdict))


def result_of(order: TrialOrder, showing: Showing) -> TrialResult:
    """What a guard tells of a trial that came out as `showing`."""
    unit = {"wakeups": "wakeups/s"}.get(order.argv[3].rpartition(".")[2], "requests/s")
    line = {
        "perf": showing.perf,
        "unit": unit,
        "samples_ms": [showing.p95_ms] * 20,
        "errors": showing.errors,
        "figures": showing.figures,
    }
    quiet = Reading(value=showing.pressure, unit="share", source="test", reason=None)
    blank = blank_result(order, "done", "unused")
    return blank.model_copy(
        update={
            "status": showing.status,
            "exit_code": showing.exit_code or (0 if showing.status == "done" else 1),
            "wall_s": 1.0,
            "stdout": json.dumps(line) if showing.status == "done" else "",
            "stderr_tail": showing.stderr,
            "oom": Reading(value=0.0, unit="kills", source="test", reason=None),
            "noise": Noise(psi_cpu_avg=quiet, steal_share=quiet.model_copy(update={"value": 0.0}), load1=quiet),
            "written_bytes": showing.written_bytes,
        }
    )


def packs_written(runner: ScriptedRunner) -> list[PackWritten]:
    """Every pack that was announced."""
    return runner.messages(PackWritten)


def place(order: TrialOrder) -> str:
    """`c03` for pair 3 of the candidate."""
    return order.trial_id.split("-")[-2]
