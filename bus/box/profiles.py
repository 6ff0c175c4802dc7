"""What each role may reach once its box is closed, and how much it may use: the tables beside the topology.

In: a role, where the state of its run lies, the settings. Out: whether it is boxed, the walls of its box, its limits. A
role without a profile is not boxed; every role has limits. Nothing here touches the kernel.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bus.box.limits import Limits
from schemas.roles import Role
from schemas.settings import EngineSettings

MIB: Final = 1024 * 1024
LARGEST_FRAME_BYTES: Final = 256 * MIB
"""What a segment may exceed its limit by: it is closed after the frame that fills it."""
BYTES_PER_PIXEL: Final = 48
"""Memory that one pixel of the inputs may cost: three channels, wider types, some copies, wide formats."""


@dataclass(frozen=True, slots=True)
class BoxProfile:
    """What a boxed role may reach: paths relative to home, with `{run}` and `{instance}` to be filled in."""

    reads: tuple[str, ...] = ()
    """Folders and files that it may read."""
    writes: tuple[str, ...] = ()
    """Folders in which it may read, list, make, change, rename and remove files."""


PROFILES: Final[dict[Role, BoxProfile]] = {
    "dreamer": BoxProfile(writes=("journal/{run}/{instance}",)),
}
"""The roles that run in a box, and all that stays open to them. Sockets are handed to them; they can make none."""

LIMITS: Final[dict[Role, Limits]] = {
    "dreamer": Limits(memory_bytes=4096 * MIB, file_bytes=LARGEST_FRAME_BYTES),
    "pool-keeper": Limits(memory_bytes=32768 * MIB),
    "learner": Limits(memory_bytes=16384 * MIB),
    "bias-synthesizer": Limits(memory_bytes=4096 * MIB),
    "regime-runner": Limits(memory_bytes=65536 * MIB),
    "safety-watchdog": Limits(memory_bytes=4096 * MIB),
    "friend": Limits(memory_bytes=4096 * MIB),
    "nightly-observer": Limits(memory_bytes=16384 * MIB),
}
"""Memory without what the inputs take, file size beyond that of a segment. Of descriptors everybody gets all that is
allowed: whoever is called by others runs out of them while accepting, at which libzmq aborts, so that a flood of calls
would end it; and a boxed one can open nothing with them. What a regime-runner starts inherits its limits: they are
wide, and each trial has those of its order."""


@dataclass(frozen=True, slots=True)
class Walls:
    """What one box leaves open, as absolute paths that exist when it is closed; all else is out of reach."""

    reads: tuple[Path, ...] = ()
    """Folders and files that may be read."""
    writes: tuple[Path, ...] = ()
    """Folders in which files may be read and changed."""


def is_boxed(role: Role) -> bool:
    """Whether processes of `role` run in a box."""
    return role in PROFILES


def walls_of(role: Role, home: Path, run: str, instance: str) -> Walls:
    """The walls around `instance` of `role`; raises ValueError for a role that runs in no box."""
    profile = PROFILES.get(role)
    if profile is None:
        raise ValueError(f"{role} runs in no box")

    def below_home(places: tuple[str, ...]) -> tuple[Path, ...]:
        return tuple(home / place.format(run=run, instance=instance) for place in places)

    return Walls(below_home(profile.reads), below_home(profile.writes))


def limits_of(role: Role, settings: EngineSettings) -> Limits:
    """The limits of a process of `role` in a run with `settings`."""
    limits = LIMITS[role]
    pixels = settings.run.max_images * settings.run.image_side**2
    return Limits(
        memory_bytes=None if limits.memory_bytes is None else limits.memory_bytes + BYTES_PER_PIXEL * pixels,
        file_bytes=None if limits.file_bytes is None else limits.file_bytes + settings.journal.segment_mib * MIB,
        open_files=limits.open_files,
    )
