"""A foreign program with a field of its own sits with the friend of a running loop, and is never disturbed by it."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.system.test_the_friend_speaks import QUIET, told

ROOT = Path(__file__).parents[2]
TURNS, MOST_TURNS = 12, 400
FRIEND = 4
"""The turn before which something happens to the friend."""
HOST = f"""
import json, os, random, sys, time
sys.path.insert(0, {str(ROOT / "actors/friend/dropin")!r})
import dream
from bus.friend_client import attach_field

origin = "I am a lighthouse. A storm broke my lantern. I learned to whistle."
shim = attach_field("leo", origin, ["language is a field"])
dream.attach(shim.lead)
config = dream.DreamConfig(is_deferred="deferred" in sys.argv)
random.seed(11)
replies, spent_ms = [], []
def generate(seed, temperature, semantic_weight):
    return " ".join(random.choice(seed.split() or ["x"]) for _ in range(8))
for turn, _ in enumerate(sys.stdin):
    replies.append(" ".join(random.choice("sea storm ship lamp night".split()) for _ in range(6)))
    began = time.perf_counter()
    ctx = dream.DreamContext(prompt="say " + str(turn), reply=replies[-1], trauma_level=0.9)
    dream.maybe_run_dream(ctx, generate, lambda text: random.random(), None, config, time.time())
    spent_ms.append((time.perf_counter() - began) * 1e3)
    if "deferred" in sys.argv:
        dream.serve_dream()
    print(shim.health.held, flush=True)
health = shim.health
print(json.dumps({{"replies": replies, "spent_ms": spent_ms, "offered": health.offered, "held": health.held,
                  "missed": health.missed, "declined": health.declined, "fault": health.fault,
                  "threads": len(os.listdir("/proc/self/task"))}}))
"""
EAGER = (*QUIET, "--set=friend.probability=1")

pytestmark = pytest.mark.system


class Leo:
    """The foreign program, one turn at a time."""

    def __init__(self, folder: Path, seat: str | None, *words: str) -> None:
        script = folder / "leo.py"
        script.write_text(textwrap.dedent(HOST))
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | ({"ONEIROS_SEAT": seat} if seat else {})
        self._process = subprocess.Popen(
            [sys.executable, str(script), *words],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def turn(self, count: int = 1) -> int:
        """Let it reply `count` times; the dialogues that it has held by then."""
        held = 0
        assert self._process.stdin is not None and self._process.stdout is not None
        for _ in range(count):
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            held = int(self._process.stdout.readline())
        return held

    def end(self) -> dict[str, object]:
        """What became of it; nothing was said on its error output."""
        out, err = self._process.communicate(timeout=60)
        assert (self._process.returncode, err) == (0, "")
        return json.loads(out.splitlines()[-1])


def seat(house) -> str:
    done = house.run("attach", "leo", "--role", "field-host", "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["offer"])


def test_replies_are_the_same_and_on_time_whatever_becomes_of_the_friend(house, tmp_path) -> None:
    alone = Leo(tmp_path, None)
    alone.turn(MOST_TURNS)
    absent = alone.end()
    house.up(*EAGER)
    offer = seat(house)
    ends = {}
    for what in ("on", "deferred", "frozen", "dead", "over"):
        leo = Leo(tmp_path, offer, what)
        leo.turn(FRIEND)
        if what == "on":
            house.until(lambda leo=leo: leo.turn() > 0)
        if what == "frozen":
            frozen = house.pid("friend")
            os.kill(frozen, signal.SIGSTOP)
        elif what == "dead":
            os.kill(house.pid("friend"), signal.SIGKILL)
        elif what == "over":
            house.stop()
        leo.turn(TURNS - FRIEND)
        ends[what] = leo.end()
        if what == "frozen":
            os.kill(frozen, signal.SIGCONT)
        if what in ("frozen", "dead"):
            house.until(lambda: house.pid("friend") > 0)

    for end in ends.values():
        assert end["replies"] == absent["replies"][: len(end["replies"])] and len(end["replies"]) >= TURNS
        assert end["threads"] == 1
    # the first misses cost their 150 ms, a dialogue that was under way its second, and then nothing is asked any more
    assert ends["on"]["held"] >= 1 and ends["on"]["fault"] is None
    assert min(ends["deferred"]["spent_ms"]) < 1.0 and ends["deferred"]["offered"] == TURNS
    assert ends["frozen"]["missed"] >= 3 and ends["frozen"]["offered"] < TURNS
    assert "SeatError" in ends["over"]["fault"] and ends["over"]["offered"] < TURNS
    assert (absent["offered"], absent["held"]) == (3, 0)
    for what in ("frozen", "over"):
        assert max(ends[what]["spent_ms"]) < 4000.0
        assert max(ends[what]["spent_ms"][-2:]) < 100.0
    dialogs = told(house, "dialogs", "--host", "leo")["dialogs"]
    assert len(dialogs) >= ends["on"]["held"]
    assert told(house, "card", "--host", "leo")["origin_fragments"] == 4
