"""Replay: an honest actor comes out identical; each unrecorded look at the world is found at its first step."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bus.core import Actor, Fired, Input, Outcome, Received, Send, SetTimer, Started
from bus.errors import StartError
from bus.randomness import RandomSource
from bus.recording import Recording
from bus.replay import Bounds, Replay, Verdict
from bus.segment import list_segments
from schemas.manifest import Seat
from schemas.retrieval import PoolStats, PoolStatsRequest

CULPRIT_FROM = 5
"""The step of the answerer at which its culprit first shows."""


@dataclass
class Suspect:
    """Answers requests; from the fifth answer on its mean coherence comes from `look`, which may be a hidden input."""

    look: Callable[[RandomSource, int], float]
    randomness: RandomSource
    answered: int = 0

    def handle(self, event: Input, now_ns: int) -> Outcome:
        if not isinstance(event, Received):
            return Outcome()
        assert isinstance(event.message, PoolStatsRequest)
        self.answered += 1
        mean = self.look(self.randomness, self.answered) if self.answered >= CULPRIT_FROM else 0.5
        reply = PoolStats(
            request=event.message.request,
            pool_sequence=0,
            dreams_total=0,
            coherence_mean=mean,
            spectral_entropy_mean=0.0,
            last_compaction_at_ns=None,
        )
        return Outcome(sends=[Send(reply, to=event.ref.sender)])

    def snapshot(self) -> bytes:
        return str(self.answered).encode()

    def restore(self, data: bytes) -> None:
        self.answered = int(data)

    def figures(self) -> dict[str, int]:
        return {"answered": self.answered}


def suspect(look: Callable[[RandomSource, int], float]) -> Callable[[], Actor]:
    def build() -> Actor:
        randomness = RandomSource(1, 1, "pool-keeper")
        return Actor(Suspect(look, randomness), randomness)

    return build


def record(stage, talker: Callable[[], Actor], keeper: Callable[[], Actor], answers: int = 12) -> None:
    """A short run of a learner and a keeper, ended in order."""
    loops = [stage.enter("pool-keeper", keeper), stage.enter("learner", talker)]
    stage.play(lambda: len(loops[1].actor.core.answers) >= answers)
    for loop in loops:
        stage.kill(loop)


def replay(stage, seats: tuple[Seat, ...], build: Callable[[], Actor], actor: str = "pool-keeper", **how) -> Verdict:
    seat = next(seat for seat in seats if seat.instance == actor)
    bounds = Bounds(how.pop("until", None), how.pop("from_snapshot", False))
    return Replay(Recording(stage.run_folder), seat, seats, build, **how).run(bounds)


def honest(randomness: RandomSource, answered: int) -> float:
    return float(randomness.at("mean", answered).random())


def test_an_honest_actor_is_identical(stage, seats: tuple[Seat, ...], talker: Callable[[], Actor]) -> None:
    record(stage, talker, suspect(honest))

    keeper = replay(stage, seats, suspect(honest))
    learner = replay(stage, seats, talker, actor="learner")

    assert keeper.is_identical and learner.is_identical
    assert keeper.messages >= 12


def test_an_actor_that_was_killed_is_identical_over_all_its_processes(
    stage, seats: tuple[Seat, ...], talker: Callable[[], Actor]
) -> None:
    keeper = stage.enter("pool-keeper", suspect(honest))
    learner = stage.enter("learner", talker)
    for epoch in (2, 3):
        goal = learner.actor.core.asked + 5
        stage.play(lambda goal=goal: len(learner.actor.core.answers) >= goal)
        stage.kill(keeper)
        keeper = stage.enter("pool-keeper", suspect(honest), epoch)
    goal = learner.actor.core.asked + 5
    stage.play(lambda: len(learner.actor.core.answers) >= goal)

    verdict = replay(stage, seats, suspect(honest))

    assert verdict.is_identical
    assert verdict.epochs == 3


def test_a_replay_can_start_from_a_snapshot(stage, seats: tuple[Seat, ...], talker: Callable[[], Actor]) -> None:
    keeper = stage.enter("pool-keeper", suspect(honest))
    learner = stage.enter("learner", talker)
    stage.play(lambda: len(learner.actor.core.answers) >= 10)
    stage.kill(keeper)
    stage.enter("pool-keeper", suspect(honest), 2)
    stage.play(lambda: len(learner.actor.core.answers) >= 30)

    verdict = replay(stage, seats, suspect(honest), from_snapshot=True)

    assert verdict.is_identical
    assert verdict.started_from is not None and verdict.started_from >= 10


HANDLES: list[object] = []


def id_of_a_new_object(randomness: RandomSource, answered: int) -> float:
    HANDLES.append(object())
    return (id(HANDLES[-1]) % 100_000) / 100_000


def listing(folder: Path) -> Callable[[RandomSource, int], float]:
    """What os.listdir says of a folder in which something always changes."""

    def look(randomness: RandomSource, answered: int) -> float:
        (folder / f"file-{len(os.listdir(folder))}").touch()
        return len(dict.fromkeys(os.listdir(folder), 1)) / 1000

    return look


TEXT_READINGS: list[int] = []


def float_through_text(randomness: RandomSource, answered: int) -> float:
    """Digits that depend on how often the process has printed before, as a locale or a print option would."""
    TEXT_READINGS.append(answered)
    return float(f"{1 / (2 + len(TEXT_READINGS)):.5f}")


CULPRITS = {
    "wall clock": lambda randomness, answered: (time.time_ns() % 1_000_003) / 1_000_003,
    "unseeded draw": lambda randomness, answered: int.from_bytes(os.urandom(6), "little") / 2**48,
    "order of ids": id_of_a_new_object,
    "float through text": float_through_text,
}


@pytest.mark.parametrize("name", CULPRITS)
def test_a_hidden_input_is_named_at_its_first_step_and_field(
    stage, seats: tuple[Seat, ...], talker: Callable[[], Actor], name: str
) -> None:
    record(stage, talker, suspect(CULPRITS[name]))

    verdict = replay(stage, seats, suspect(CULPRITS[name]))

    assert_found(verdict, "coherence_mean")


def assert_found(verdict: Verdict, path: str) -> None:
    divergence = verdict.divergence
    assert divergence is not None
    assert divergence.step == CULPRIT_FROM + 1  # the first step is the start of the process
    assert divergence.last_agreed == CULPRIT_FROM
    assert divergence.difference.field == path
    assert divergence.input.startswith("PoolStatsRequest learner/1/")
    assert divergence.difference.recorded != divergence.difference.replayed


def test_a_folder_listing_is_named(stage, seats: tuple[Seat, ...], talker: Callable[[], Actor], tmp_path: Path) -> None:
    folder = tmp_path / "listed"
    folder.mkdir()
    record(stage, talker, suspect(listing(folder)))

    verdict = replay(stage, seats, suspect(listing(folder)))

    assert_found(verdict, "coherence_mean")


SET_ORDER = "print(sum(i * len(w) for i, w in enumerate({'oak', 'maple', 'ash', 'elm', 'hornbeam'})) / 1000)"


def in_a_process(script: str, **environment: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def test_the_order_of_a_set_is_named(stage, seats: tuple[Seat, ...], talker: Callable[[], Actor]) -> None:
    orders = {seed: in_a_process(SET_ORDER, PYTHONHASHSEED=str(seed)) for seed in range(6)}
    one, other = orders[0], next(order for order in orders.values() if order != orders[0])
    record(stage, talker, suspect(lambda randomness, answered: one))

    verdict = replay(stage, seats, suspect(lambda randomness, answered: other))

    assert_found(verdict, "coherence_mean")


MATMUL = """
import sys
import numpy as np
a = np.random.default_rng(1).random((1100, 1100))
np.save(sys.argv[1], a @ a)
"""


def product(folder: Path, threads: int) -> np.ndarray:
    """A large matrix product, by so many threads of BLAS, in a process of its own."""
    file = folder / f"by-{threads}.npy"
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads)}
    subprocess.run([sys.executable, "-c", MATMUL, str(file)], env=environment, check=True)
    return np.load(file)


def test_a_matrix_product_by_two_threads_is_named_with_its_ulps(
    stage, seats: tuple[Seat, ...], talker: Callable[[], Actor], tmp_path: Path
) -> None:
    one, two = product(tmp_path, 1), product(tmp_path, 2)
    if np.array_equal(one, two):
        pytest.skip("this BLAS gives the same bits with one thread and with two")
    at = np.flatnonzero(one != two)[0]
    record(stage, talker, suspect(lambda randomness, answered: float(one.flat[at]) / 1100))

    verdict = replay(stage, seats, suspect(lambda randomness, answered: float(two.flat[at]) / 1100))

    assert_found(verdict, "coherence_mean")
    assert verdict.divergence is not None
    assert 0 < (verdict.divergence.difference.ulps or 0) < 100


@dataclass
class Forgetful:
    """A learner's shape that does not say every third request."""

    asked: int = 0
    skips: bool = False
    answers: list[int] = field(default_factory=list)

    def handle(self, event: Input, now_ns: int) -> Outcome:
        outcome = Outcome()
        match event:
            case Started():
                outcome.timers.append(SetTimer("ask", 0.0))
            case Fired():
                self.asked += 1
                if not (self.skips and self.asked == 3):
                    outcome.sends.append(Send(PoolStatsRequest(request=self.asked)))
                outcome.timers.append(SetTimer("ask", 0.001))
            case Received(message=PoolStats(request=request)):
                self.answers.append(request)
        return outcome

    def snapshot(self) -> bytes:
        return json.dumps([self.asked, self.answers]).encode()

    def restore(self, data: bytes) -> None:
        self.asked, self.answers = json.loads(data)

    def figures(self) -> dict[str, int]:
        return {}


def test_a_dropped_message_is_named(stage, seats: tuple[Seat, ...], answerer: Callable[[], Actor]) -> None:
    def build(skips: bool) -> Callable[[], Actor]:
        return lambda: Actor(Forgetful(skips=skips), RandomSource(1, 1, "learner"))

    record(stage, build(False), answerer)

    verdict = replay(stage, seats, build(True), actor="learner")

    assert verdict.divergence is not None
    assert verdict.divergence.difference.field == "messages"
    assert verdict.divergence.difference.replayed == "none"


def test_a_tolerance_is_used_and_reported(stage, seats: tuple[Seat, ...], talker: Callable[[], Actor]) -> None:
    record(stage, talker, suspect(lambda randomness, answered: 0.3))

    strict = replay(stage, seats, suspect(lambda randomness, answered: 0.1 + 0.2))
    tolerant = replay(stage, seats, suspect(lambda randomness, answered: 0.1 + 0.2), ulp_tolerance=1)

    assert strict.divergence is not None and strict.divergence.difference.ulps == 1
    assert tolerant.is_identical and tolerant.tolerated > 0


def test_a_draw_that_leaves_no_trace_in_a_message_is_named(
    stage, seats: tuple[Seat, ...], talker: Callable[[], Actor]
) -> None:
    record(stage, talker, suspect(honest))

    def one_more(randomness: RandomSource, answered: int) -> float:
        randomness.at("unasked", answered)
        return honest(randomness, answered)

    verdict = replay(stage, seats, suspect(one_more))

    assert verdict.divergence is not None and verdict.divergence.difference.field == "randomness"


def test_a_flipped_bit_ends_the_replay_with_its_place(
    stage, seats: tuple[Seat, ...], talker: Callable[[], Actor]
) -> None:
    record(stage, talker, suspect(honest))
    path = list_segments(stage.run_folder / "pool-keeper")[0][1]
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0x04
    path.write_bytes(bytes(whole))

    verdict = replay(stage, seats, suspect(honest))

    assert verdict.damage is not None
    assert verdict.damage.segment == path.name
    assert 0 < verdict.damage.offset <= len(whole) // 2


def test_a_flipped_bit_in_the_last_frame_is_no_unfinished_write(
    stage, seats: tuple[Seat, ...], talker: Callable[[], Actor]
) -> None:
    record(stage, talker, suspect(honest))
    path = list_segments(stage.run_folder / "pool-keeper")[-1][1]
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 0x04
    path.write_bytes(bytes(whole))

    flipped = replay(stage, seats, suspect(honest))
    path.write_bytes(bytes(whole[:-3]))
    torn = replay(stage, seats, suspect(honest))

    assert flipped.damage is not None and flipped.damage.segment == path.name
    assert torn.damage is None


def test_an_input_that_is_gone_is_named(stage, seats: tuple[Seat, ...], talker: Callable[[], Actor]) -> None:
    record(stage, talker, suspect(honest))
    path = list_segments(stage.run_folder / "learner")[0][1]
    path.unlink()

    verdict = replay(stage, seats, suspect(honest))

    assert verdict.damage is not None
    assert verdict.damage.missing is not None and verdict.damage.missing.sender == "learner"


def test_an_actor_that_cannot_be_built_here_has_not_diverged(
    stage, seats: tuple[Seat, ...], talker: Callable[[], Actor]
) -> None:
    record(stage, talker, suspect(honest))

    def build() -> Actor:
        raise StartError("the inputs are gone")

    with pytest.raises(StartError, match="the inputs are gone"):
        replay(stage, seats, build)


def test_what_is_written_while_a_run_is_replayed_is_left_to_the_next_replay(
    stage, seats: tuple[Seat, ...], talker: Callable[[], Actor]
) -> None:
    keeper, learner = stage.enter("pool-keeper", suspect(honest)), stage.enter("learner", talker)
    stage.play(lambda: len(learner.actor.core.answers) >= 5)
    stage.kill(keeper)
    stage.enter("pool-keeper", suspect(honest), 2)
    goal = learner.actor.core.asked + 20
    stage.play(lambda: len(learner.actor.core.answers) >= goal)
    path = list_segments(stage.run_folder / "pool-keeper")[1][1]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    seat = next(seat for seat in seats if seat.instance == "pool-keeper")
    before = replay(stage, seats, suspect(honest)).steps

    verdict = Replay(Recording(stage.run_folder), seat, seats, suspect(honest)).run(
        Bounds(), lambda step: path.write_bytes(whole) if step == 1 else None
    )

    assert verdict.is_identical and verdict.epochs == 2
    assert before <= verdict.steps <= before + 1
