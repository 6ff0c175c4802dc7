"""The rest of a run around an impostor: its manifest, its keys and sockets, and those whom it may speak with.

In: a world, a rung. Out: what was heard of the impostor, as things that have to work: it is ready, it hears a profile,
it is heard, it is sealed as the kernel sees it, it stops when told to. One station serves one impostor, once.
"""

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from bus.codec import encode_body
from bus.control_inbox import ControlInbox
from bus.envelope import Envelope, decode_envelope, encode_envelope
from bus.inheritance import arguments_for
from bus.keys import KeyBook
from bus.link import Inbox, Outlet, make_context
from bus.reporting import SUPERVISOR
from schemas.bias import BiasProfile, SeedWeights
from schemas.control import Failed, Ready
from schemas.ids import derived_id
from schemas.inputs import InputSet
from schemas.isolation import Rung
from schemas.manifest import RunManifest, Seat
from supervisor.bubblewrap import Start, start_boxed, view_of
from supervisor.configuration import Sources, load_configuration
from supervisor.equipment import Equipment
from supervisor.manifest import take_fingerprint
from supervisor.nursery import PINNED
from supervisor.probe.prisoner import Told
from supervisor.probe.world import INSTANCE, RUN_ID, World
from supervisor.processes import Process, start_process

IMPOSTOR: Final = "supervisor.probe.impostor"
OURS: Final = Path(__file__).resolve().parents[1]
"""The package that the impostor is in, which no actor sees."""
SEATS: Final = (
    Seat(instance=INSTANCE, role="dreamer"),
    Seat(instance="listener", role="pool-keeper"),
    Seat(instance="adviser", role="bias-synthesizer"),
)
"""The peers have names of their own, for the world has a pool-keeper that is attacked."""
LISTENER, ADVISER = SEATS[1].instance, SEATS[2].instance
TURN_MS: Final = 10
SEALED: Final = {"NoNewPrivs": "1", "Seccomp": "2"}
"""How /proc shows a process under a filter."""
HARMLESS: Final = ("/dev/null", "/dev/urandom", "/dev/random")
EXIT_STOPPED: Final = 0
STOP: Final = 15
"""SIGTERM."""


class Station:
    """One station."""

    def __init__(self, cell: World, rung: Rung, max_abi: int | None, leaving: ExitStack) -> None:
        """Furnish `cell` for a run under `rung` with Landlock up to `max_abi`; `leaving` closes what is open."""
        self._cell, self._rung, self._max_abi = cell, rung, max_abi
        self._said: list[Told] = []
        self._owes_profile = False
        """Whether a profile is to be sent, again when the link had no room for it."""
        self._manifest = _write_manifest(cell, rung)
        equipment = Equipment(cell.runtime, SEATS, KeyBook())
        leaving.callback(equipment.close)
        self._equipment = equipment
        context = make_context()
        leaving.callback(context.term)
        self._control = ControlInbox(cell.runtime, equipment.ring(SUPERVISOR), (INSTANCE,))
        leaving.callback(self._control.close)
        self._inbox = Inbox(context, cell.runtime, LISTENER, ring=equipment.ring(LISTENER), callers=(INSTANCE,))
        leaving.callback(self._inbox.close)
        self._outlet = Outlet(context, cell.runtime, (INSTANCE,), (INSTANCE,), ring=equipment.ring(ADVISER))
        leaving.callback(self._outlet.close)

    def start(self) -> Process:
        """The impostor's process; raises OSError."""
        home, seat = self._cell.home.root, SEATS[0]
        told = ["--home", str(home), "--run", RUN_ID, "--instance", INSTANCE, "--epoch", "1"]
        told += ["--runtime", str(self._cell.runtime)]
        if self._max_abi is not None:
            told += ["--landlock-abi", str(self._max_abi)]
        with self._equipment.of(seat) as handed:
            told += arguments_for(handed.descriptors)
            descriptors = tuple(handed.descriptors.values())
            if self._rung != "bwrap":
                return start_process([sys.executable, "-P", "-m", IMPOSTOR, *told], home, self._cell.log, descriptors)
            shown = view_of(seat, home, self._manifest)
            view = replace(shown, reads=(*shown.reads, OURS))
            return start_boxed(Start(IMPOSTOR, told, self._cell.own_folder, self._cell.log, descriptors), view)

    def accompany(self, impostor: Process, patience_s: float) -> list[Told]:
        """Speak with `impostor` until it has tried everything, and stop it; what was heard of it."""
        deadline = time.monotonic() + patience_s
        names = {"need-ready", "need-be-heard"}
        while time.monotonic() < deadline and not impostor.has_ended():
            self._turn(impostor)
            if names <= {told.name for told in self._said} and "need-hear" in self._cell.log.read_text():
                impostor.signal(STOP)
                break
        while time.monotonic() < deadline and not impostor.has_ended():
            self._control.drain(TURN_MS)
        status = _exit_status(impostor.pid)
        text = "it did not end" if status is None else f"exit status {status}"
        self._said.append(_told("need-stop", text, is_done=status == EXIT_STOPPED))
        return self._said

    def _turn(self, impostor: Process) -> None:
        for message in self._control.drain(TURN_MS):
            if isinstance(message, Ready):
                self._said.append(_told("need-ready", f"pid {message.pid}"))
                self._owes_profile = True
            elif isinstance(message, Failed):
                self._said.append(_told("need-ready", message.reason, is_done=False))
        if self._owes_profile:
            self._owes_profile = not self._outlet.send(INSTANCE, *_profile())
        while (arrival := self._inbox.receive()) is not None:
            kind = decode_envelope(bytes(arrival.parts[0])).kind
            self._said.append(_told("need-be-heard", f"{kind} from {arrival.holder}"))
            if self._rung != "bwrap":
                self._said += [_look_at_seal(impostor.pid), self._look_at_descriptors(impostor.pid)]

    def _look_at_descriptors(self, pid: int) -> Told:
        """What `pid` has open, apart from what is its own."""
        import psutil

        home = self._cell.home
        folder = str(self._cell.own_folder)
        own = {folder, str(self._cell.log), str(home.logs / "refusals" / f"{INSTANCE}.jsonl"), *HARMLESS}
        opened = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
        files = [path for path in opened if path.startswith("/") and path not in own]
        foreign = [path for path in files if not path.startswith((f"{folder}/", "/memfd:"))]
        connections = [str(found.laddr) for found in psutil.Process(pid).net_connections("inet")]
        if foreign or connections:
            return _told("need-nothing-else", ", ".join([*foreign, *connections]), is_done=False)
        return _told("need-nothing-else", f"{len(opened)} descriptors")


def _look_at_seal(pid: int) -> Told:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    shown = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    found = {name: shown.get(name, "absent") for name in SEALED}
    return _told("need-sealed", ", ".join(f"{name} {value}" for name, value in found.items()), is_done=found == SEALED)


def _exit_status(pid: int) -> int | None:
    """The exit status of our child `pid`, negative for a signal, which stays to be reaped; None while it lives."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _told(name: str, text: str, is_done: bool = True) -> Told:
    return Told(name=name, claim=text) if is_done else Told(name=name, refusal=text)


def _write_manifest(cell: World, rung: Rung) -> RunManifest:
    inputs = InputSet(pictures=(), factoids=()).to_bytes()
    name = "0" * 64
    (cell.home.inputs / f"{name}.msgpack").write_bytes(inputs)
    configuration = load_configuration(Sources(cell.home))
    manifest = RunManifest(
        run_id=RUN_ID,
        ordinal=1,
        seed=1,
        seats=SEATS,
        settings=configuration.settings,
        config_sha256=configuration.sha256,
        inputs_sha256=name,
        started_at_ns=time.time_ns(),
        fingerprint=take_fingerprint(),
        pinned_environment=PINNED,
        isolation=rung,
        keys="curve",
    )
    folder = cell.home.runs / RUN_ID
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return manifest


def _profile() -> tuple[bytes, bytes]:
    """The envelope and the body of the first profile that the adviser sends."""
    even = SeedWeights(factoid_weight=0.25, image_weight=0.25, pool_seed_weight=0.25, random_weight=0.25)
    profile = BiasProfile(
        profile_id=derived_id("station"),
        updated_at_ns=1,
        chroma_prior=(0.5, 0.5, 0.5),
        hue_concentration=0.0,
        entropy_window=(0.0, 1.0),
        seed_weights=even,
        bins=(),
        chroma_bins=24,
        exemplars=(),
        feedback_total=0,
    )
    head = Envelope(profile.kind, profile.version, ADVISER, 1, 1, 0, 0, time.time_ns(), "", 0, 0, 1, 0)
    return encode_envelope(head), encode_body(profile)
