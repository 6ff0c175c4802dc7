"""Whatever a trial has started is ended and reaped, also where no cgroup helps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trial_house import ROOT

SWEEPER = """
import json, os, signal, sys, time
from pathlib import Path
from actors.regime_runner.cgroups import TrialCgroups
from actors.regime_runner.sweeping import Brood
from bus.descendants import descendants_of

def note(*_):
    Path(sys.argv[1]).touch()

brood = Brood(TrialCgroups("none"))
brood.adopt()
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, note)
    if os.fork() == 0:
        os.write(writer, b"x")
        while True:
            time.sleep(60)
    os._exit(3)
os.read(reader, 1)
while not brood.ended:
    brood.reap()
orphans = len(descendants_of(os.getpid()))
survivors = brood.clear(is_hasty=sys.argv[2] == "hasty")
print(json.dumps([orphans, survivors, sorted(ended.exit_code for ended in brood.ended.values())]))
"""


def swept(noted: Path, pace: str) -> list[object]:
    """Orphans below a sweeper before it swept and after, and how everything below it ended."""
    command = [sys.executable, "-c", SWEEPER, str(noted), pace]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=True)
    found: list[object] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize(("pace", "is_asked"), [("patient", True), ("hasty", False)])
def test_an_orphan_that_ignores_term_in_a_session_of_its_own_is_ended(
    tmp_path: Path, pace: str, is_asked: bool
) -> None:
    orphans, survivors, exits = swept(tmp_path / "asked", pace)

    assert (orphans, survivors, exits) == (1, 0, [-9, 3])
    assert (tmp_path / "asked").exists() is is_asked
