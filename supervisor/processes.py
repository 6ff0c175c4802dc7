"""How actor processes come to be, so that none outlives the supervisor.

In: a seat and an epoch. Out: a process of its own session, with its output appended to ACTOR.log, a pinned
environment, no core dumps, the descriptors that are its own, and SIGKILL as soon as the supervisor is gone. The
kernel sends that when the thread that started the process ends, so processes are started from the main thread alone.
There are two ways: a fork of the zygote, which takes milliseconds, and an exec of a fresh interpreter, which serves
when there is no zygote.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from bus.inheritance import arguments_for
from schemas.manifest import Seat
from schemas.roles import module_of
from supervisor import kernel
from supervisor.equipment import Equipment
from supervisor.home import Home
from supervisor.log_tail import log_file
from supervisor.nursery import Nursery, actor_environment


class Process(Protocol):
    """One started process, leader of its own group."""

    @property
    def pid(self) -> int:
        """Its id, which is its group's as well."""

    def has_ended(self) -> bool:
        """Whether it has ended; its id stays taken until `reap`."""

    def signal(self, number: int) -> None:
        """Send signal `number` to the process; nothing happens when it has ended."""

    def kill_group(self) -> None:
        """SIGKILL to the process and all that it started; nothing happens when they are gone."""

    def reap(self) -> int:
        """The exit status of the ended process, negative for a signal; its id is free afterwards."""


class Launcher(Protocol):
    """Starts the processes of one run."""

    def spawn(self, seat: Seat, epoch: int) -> Process:
        """Start the `epoch`-th process of `seat`; raises OSError when that cannot be done."""


@dataclass(frozen=True)
class ChildProcess:
    """A child of the supervisor, leader of its own group."""

    pid: int

    def has_ended(self) -> bool:
        """Whether it has ended; its id stays taken until `reap`."""
        return kernel.has_ended(self.pid)

    def signal(self, number: int) -> None:
        """Send signal `number` to the process; nothing happens when it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill_group(self) -> None:
        """SIGKILL to the process and all that it started; nothing happens when they are gone."""
        kernel.kill_group(self.pid)

    def reap(self) -> int:
        """The exit status of the ended process, negative for a signal; its id is free afterwards."""
        try:
            _, status = os.waitpid(self.pid, 0)
        except ChildProcessError:
            return 0
        return os.waitstatus_to_exitcode(status)


@dataclass(frozen=True)
class RunSeats:
    """Where the processes of one run live, and what each is told at its start."""

    home: Home
    run_id: str
    runtime: Path
    equipment: Equipment

    def module(self, seat: Seat) -> str:
        """The module that a process of `seat` runs."""
        return module_of(seat.role)

    def arguments(self, seat: Seat, epoch: int) -> list[str]:
        """All that an actor is told, beside the manifest."""
        told = {
            "--home": str(self.home.root),
            "--run": self.run_id,
            "--instance": seat.instance,
            "--epoch": str(epoch),
            "--runtime": str(self.runtime),
        }
        return [word for pair in told.items() for word in pair]


@dataclass(frozen=True)
class ExecLauncher:
    """Starts each actor as a fresh interpreter on the actor's module."""

    seats: RunSeats

    def spawn(self, seat: Seat, epoch: int) -> ChildProcess:
        """Start the `epoch`-th process of `seat`; raises OSError when that cannot be done."""
        with self.seats.equipment.of(seat) as handed:
            told = [*self.seats.arguments(seat, epoch), *arguments_for(handed.descriptors)]
            command = [sys.executable, "-P", "-m", self.seats.module(seat), *told]
            log = log_file(self.seats.home, seat.instance)
            return start_process(command, self.seats.home.root, log, tuple(handed.descriptors.values()))


@dataclass(frozen=True)
class ForkLauncher:
    """Forks each actor from the zygote; starts it by exec when the zygote cannot."""

    seats: RunSeats
    nursery: Nursery

    def spawn(self, seat: Seat, epoch: int) -> ChildProcess:
        """Start the `epoch`-th process of `seat`; raises OSError when that cannot be done."""
        home, told = self.seats.home, self.seats.arguments(seat, epoch)
        try:
            with self.seats.equipment.of(seat) as handed:
                log = log_file(home, seat.instance)
                return ChildProcess(
                    self.nursery.fork(self.seats.module(seat), told, home.root, log, handed.descriptors)
                )
        except OSError:
            return ExecLauncher(self.seats).spawn(seat, epoch)


def _nothing() -> None:
    """What most processes have to prepare."""


def _begin(parent: int, prepare: Callable[[], None]) -> None:
    """What a child does before it becomes a program; what it dies of goes to its log."""
    kernel.bind_to_parent(parent)
    try:
        prepare()
    except OSError as error:
        os.write(2, f"{error}\n".encode())
        raise


def start_process(
    command: list[str],
    folder: Path,
    log: Path,
    handed: tuple[int, ...] = (),
    environment: Mapping[str, str] | None = None,
    prepare: Callable[[], None] = _nothing,
) -> ChildProcess:
    """Start `command` in `folder` as a group of its own that ends with us and inherits `handed` alone.

    Its output is appended to `log`. It has an actor's environment, or `environment` as it is. `prepare` is called in it
    before `command` takes its place; raises OSError when that raises anything.
    """
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=actor_environment(os.environ) if environment is None else environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=handed,
            preexec_fn=partial(_begin, os.getpid(), prepare),  # noqa: PLW1509 - one thread, and no other way
        )
    except subprocess.SubprocessError as error:
        raise OSError(f"{command[0]} could not be prepared; its reason is in {log}") from error
    finally:
        os.close(output)
    child.returncode = 0  # reaped by its id, as forked ones are
    return ChildProcess(child.pid)
