"""What an actor is told at its start: the frozen manifest, its seat, and where things lie.

In: the run manifest and the input set on disk. Out: `ActorStart`, from which `actors.ROLE.__main__.build` makes the
actor, in a live process and in a replay alike. Nothing else reaches an actor before its first input.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bus.errors import StartError
from bus.randomness import RandomSource
from schemas.inputs import InputSet
from schemas.manifest import RunManifest, Seat
from schemas.settings import EngineSettings


@dataclass(frozen=True)
class ActorStart:
    """The seat of one actor in one run."""

    home: Path
    manifest: RunManifest
    seat: Seat

    @property
    def settings(self) -> EngineSettings:
        """The resolved configuration of the run."""
        return self.manifest.settings

    @cached_property
    def inputs(self) -> InputSet:
        """The pictures and facts of the run; raises StartError when they are gone or not what their name says."""
        path = self.home / "inputs" / f"{self.manifest.inputs_sha256}.msgpack"
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != self.manifest.inputs_sha256:
                raise StartError(
                    f"{path} does not have the SHA-256 of its name; remove it, `supervisor up` makes it anew"
                )
            return InputSet.from_bytes(content)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise StartError(f"the inputs of the run cannot be read: {path}: {why}") from error

    def randomness(self) -> RandomSource:
        """The random source of this seat."""
        return RandomSource(self.manifest.seed, self.manifest.ordinal, self.seat.instance)

    def run_file(self, name: str) -> bytes:
        """The bytes of a file that was frozen with the run's manifest, to be handed in as `Observed`.

        Empty where it is not there: a replay has the observation of its run, and no file.
        """
        return self.observation(f"runs/{self.manifest.run_id}/{name}") or b""

    def observation(self, relative: str) -> bytes | None:
        """The bytes of a file under home, or None when it is not there. Shells hand it in as `Observed`."""
        path = self.home / relative
        return path.read_bytes() if path.is_file() else None


def load_manifest(home: Path, run_id: str) -> RunManifest:
    """The manifest of `run_id`; raises StartError saying what is wrong with it."""
    path = home / "runs" / run_id / "manifest.json"
    try:
        return RunManifest.from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StartError(f"manifest {path} cannot be used: {error}") from error
