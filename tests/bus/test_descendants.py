"""Processes are named by id and start time, found below their ancestor or by their mark, and ended for good."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bus.descendants import MARKER, Process, descendants_of, end, has_children, identity_of, is_alive, marked_with, send
from tests.trial_house import until

FAMILY = "import os, time; os.fork(); os.write(1, b'here\\n'); time.sleep(60)"
LEADERLESS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print("here", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""
"""Its first thread ends, and another one goes on."""


@pytest.fixture
def start():
    begun: list[subprocess.Popen[str]] = []

    def begin(script: str, lines: int = 1, **environment: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", script]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
        begun.append(process)
        for _ in range(lines):
            assert process.stdout.readline() == "here\n"
        return process

    yield begin
    for process in begun:
        end(lambda pid=process.pid: descendants_of(pid), 0.0, 5.0)
        process.kill()
        process.communicate()


def test_a_process_is_found_below_its_ancestor_and_by_its_mark(start) -> None:
    process = start(FAMILY, 2, **{MARKER: "a-trial"})

    below = descendants_of(process.pid)

    assert len(below) == 1 and has_children(process.pid)
    assert set(marked_with("a-trial")) == {identity_of(process.pid), *below}
    assert set(below) <= set(descendants_of(os.getpid()))
    assert marked_with("another-trial") == []


def test_a_process_of_the_same_id_that_began_later_is_not_signalled(start) -> None:
    process = start(FAMILY, 2)
    known = identity_of(process.pid)
    assert known is not None

    was_sent = send(Process(known.pid, known.started_ticks - 1), signal.SIGKILL)

    assert not was_sent and is_alive(known)
    assert not is_alive(Process(known.pid, known.started_ticks - 1))


def test_a_process_that_has_ended_is_not_alive_before_it_is_reaped(start) -> None:
    process = start("print('here', flush=True)")
    known = Process(process.pid, 0)

    until(lambda: identity_of(process.pid) is None, "its end")

    assert not is_alive(known) and not send(known, signal.SIGKILL)


def test_a_process_whose_first_thread_has_ended_is_alive_and_can_be_ended(start) -> None:
    process = start(LEADERLESS)
    stat = Path(f"/proc/{process.pid}/stat")
    until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z", "the end of its first thread")
    known = identity_of(process.pid)

    met = end(lambda: [known] if is_alive(known) else [], 0.0, 5.0)

    assert known is not None and met == 1
    assert process.wait(10) == -signal.SIGKILL


def test_the_patient_end_is_term_and_the_last_is_kill(start) -> None:
    polite = start("import time; print('here', flush=True); time.sleep(60)")
    stubborn = start(
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
    )
    both = [identity_of(process.pid) for process in (polite, stubborn)]

    met = end(lambda: [process for process in both if is_alive(process)], 0.3, 5.0)

    assert met == 2
    assert polite.wait(10) == -signal.SIGTERM and stubborn.wait(10) == -signal.SIGKILL
