"""The four actors together, in virtual time: the loop closes, and depends on nothing but what it is given."""

import builtins
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bus.core import Actor, Core, Input, Outcome
from bus.memory import MemoryBus
from schemas.bias import BiasProfile
from schemas.dreams import DreamEntry
from schemas.feedback import EpochReport

VIRTUAL_S = 20.0


def test_the_loop_closes_in_virtual_time(loop_in_memory: Callable[..., MemoryBus], tmp_path: Path) -> None:
    bus = loop_in_memory(tmp_path)

    bus.run(VIRTUAL_S)

    assert len(bus.messages(DreamEntry)) >= 100
    assert len(bus.messages(EpochReport)) >= 3
    assert len({profile.profile_id for profile in bus.messages(BiasProfile)}) >= 2
    assert {said.message.kind for said in bus.said if said.receiver == "dreamer"} == {"BiasProfile"}
    assert bus.refusals == []


SCRIPT = """
import hashlib, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import importlib.util
spec = importlib.util.spec_from_file_location("whole", sys.argv[2])
whole = importlib.util.module_from_spec(spec)
spec.loader.exec_module(whole)
stop = threading.Event()
if sys.argv[4] == "busy":
    threading.Thread(target=lambda: [sum(range(1000)) for _ in iter(stop.is_set, True)], daemon=True).start()
bus = whole.the_loop(Path(sys.argv[3]))
bus.run(8.0)
stop.set()
digest = hashlib.sha256()
for said in bus.said:
    digest.update(f"{said.at_ns} {said.sender} {said.receiver} {said.message!r}".encode())
print(len(bus.said), digest.hexdigest())
"""


def test_nothing_around_the_process_changes_what_is_said(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    surroundings = [
        ({"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"}, root, "quiet"),
        ({"PYTHONHASHSEED": "4711", "LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Chatham"}, tmp_path, "busy"),
    ]
    said = set()

    for number, (environment, folder, load) in enumerate(surroundings):
        home = tmp_path / f"home-{number}"
        arguments = [str(root), str(Path(__file__).parent / "conftest.py"), str(home), load]
        pinned = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *arguments],
            env=pinned,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said.add(done.stdout)

    assert len(said) == 1


class HiddenInputError(AssertionError):
    """A core looked at the world."""


@contextmanager
def sealed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Inside, clocks, random sources, the environment, files and threads are out of reach."""

    def refuse(name: str) -> Callable[..., object]:
        def look(*arguments: object, **named: object) -> object:
            raise HiddenInputError(name)

        return look

    with monkeypatch.context() as patch:
        for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"):
            patch.setattr(time, name, refuse(f"time.{name}"))
        for name in ("random", "randint", "shuffle", "choice", "getrandbits"):
            patch.setattr(random, name, refuse(f"random.{name}"))
        for name in ("urandom", "getenv", "listdir", "scandir", "getpid", "stat"):
            patch.setattr(os, name, refuse(f"os.{name}"))
        patch.setattr(np.random, "default_rng", refuse("np.random.default_rng"))
        patch.setattr(np.random, "random", refuse("np.random.random"))
        patch.setattr(builtins, "open", refuse("open"))
        patch.setattr(threading.Thread, "start", refuse("threading.Thread.start"))
        patch.setattr(os, "environ", None)
        yield


@dataclass
class Sealed:
    """A core that decides while the world is out of reach."""

    inner: Core
    monkeypatch: pytest.MonkeyPatch

    def handle(self, event: Input, now_ns: int) -> Outcome:
        with sealed(self.monkeypatch):
            return self.inner.handle(event, now_ns)

    def snapshot(self) -> bytes:
        return self.inner.snapshot()

    def restore(self, data: bytes) -> None:
        self.inner.restore(data)

    def figures(self) -> object:
        return self.inner.figures()


def test_no_core_looks_at_the_world(
    loop_in_memory: Callable[..., MemoryBus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrap(actor: Actor) -> Actor:
        return Actor(Sealed(actor.core, monkeypatch), actor.randomness, actor.store, actor.observations)

    bus = loop_in_memory(tmp_path, wrap)

    bus.run(6.0)

    assert len(bus.messages(BiasProfile)) >= 2


def test_a_core_that_looks_at_the_clock_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HiddenInputError, match=r"time\.time_ns"), sealed(monkeypatch):
        time.time_ns()
