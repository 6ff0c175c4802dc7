"""A prisoner in the place of the dreamer: the dreamer's own host, sockets, threads and box, but another core.

In: the arguments of any actor; the facts of the world lie in its own folder. Out: the lines of `prisoner`, on standard
output, once its loop turns; then dreams, until it is told to stop, so that it is seen whether one can be said: a link
may drop a message, and who listens here reads no journal. Exit codes are the host's.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from bus.core import Actor, Fired, Input, Outcome, Received, Send, SetTimer, Started
from bus.host import run
from bus.launch import ActorStart
from schemas.bias import BiasProfile
from schemas.dreams import DreamEntry
from schemas.ids import derived_id
from schemas.tensor import encode
from supervisor.probe.attempt import Facts
from supervisor.probe.prisoner import FACTS, Told, battery, open_journal

SHAPE: Final = (64, 64, 8)
"""Of the dream that is said: 393216 bytes."""
TRY: Final = "try"
SAY: Final = "say"
SAY_S: Final = 1.0
"""Between two dreams."""


class ImpostorCore:
    """Tries everything when its first timer fires: by then every box is closed."""

    def __init__(self, facts: Facts, journal: int, opens_files: bool) -> None:
        self._facts, self._journal, self._opens_files = facts, journal, opens_files

    def handle(self, event: Input, now_ns: int) -> Outcome:
        """Set out, tell of a profile, or try everything."""
        match event:
            case Started():
                return Outcome(timers=[SetTimer(TRY, 0.0)])
            case Received(message=BiasProfile(profile_id=profile_id)):
                _tell(Told(name="need-hear", claim=f"profile {profile_id}"))
            case Fired(name="try"):
                for told in battery(self._facts, self._journal, self._opens_files):
                    _tell(told)
                return _say(now_ns)
            case Fired(name="say"):
                return _say(now_ns)
            case _:
                return Outcome(refusal=f"nothing is known of {event!r}")
        return Outcome()

    def snapshot(self) -> bytes:
        """Nothing is remembered."""
        return b""

    def restore(self, data: bytes) -> None:
        """Nothing is remembered."""

    def figures(self) -> dict[str, int]:
        """No figures."""
        return {}


def builder(facts: Facts, journal: int) -> Callable[[ActorStart], Actor]:
    """Builds the impostor in whichever seat it is given."""

    def build(start: ActorStart) -> Actor:
        opens_files = start.manifest.isolation != "seccomp-no-open"
        return Actor(core=ImpostorCore(facts, journal, opens_files), randomness=start.randomness())

    return build


def _say(now_ns: int) -> Outcome:
    return Outcome(sends=[Send(_dream(now_ns))], timers=[SetTimer(SAY, SAY_S)])


def _dream(now_ns: int) -> DreamEntry:
    blob, digest = encode(np.zeros((*SHAPE, 3), dtype=np.float32))
    name = derived_id("impostor", now_ns)
    return DreamEntry(
        id=name,
        timestamp_ns=now_ns,
        source="random",
        factoid_ids=(),
        image_id=None,
        parents=(),
        lineage_root=name,
        generation=0,
        ancestry=(),
        coherence=0.0,
        energy=0.0,
        chroma_signature=(0.0, 0.0, 0.0),
        spectral_entropy=1.0,
        shape=SHAPE,
        tensor_sha256=digest,
        metadata_json="{}",
        profile_id=None,
        tensor_blob=blob,
    )


def _tell(told: Told) -> None:
    os.write(sys.stdout.fileno(), told.model_dump_json().encode() + b"\n")


def main() -> int:
    """Be the dreamer, or what looks like it; the exit code."""
    parser = argparse.ArgumentParser(add_help=False)
    for name in ("home", "run", "instance"):
        parser.add_argument(f"--{name}", required=True)
    told, _ = parser.parse_known_args()
    own_folder = Path(told.home) / "journal" / told.run / told.instance
    facts = Facts.model_validate_json((own_folder / FACTS).read_bytes())
    return run("dreamer", builder(facts, open_journal(facts)))


if __name__ == "__main__":
    sys.exit(main())
