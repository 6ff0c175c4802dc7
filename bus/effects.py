"""Carrying out what a core wants written.

In: the home and a `WriteFile`. Out: the file, in a folder that is made where there is none. Doing it twice is the same
as doing it once, so that a repeated step repeats it. Refused: a path that leads out of the home.
"""

from pathlib import Path, PurePosixPath
from typing import Final

from bus.core import WriteFile
from bus.errors import BusError
from bus.files import write_atomically, write_from

PRIVATE: Final = 0o600
READABLE: Final = 0o666
"""Of a new file, less what the umask of the process takes."""


class EffectRefusedError(BusError):
    """A core wants to write outside of the home."""


def write(home: Path, effect: WriteFile) -> None:
    """Carry out `effect`. Raises OSError, and EffectRefusedError for a path out of `home`."""
    relative = PurePosixPath(effect.path)
    if relative.is_absolute() or ".." in relative.parts:
        raise EffectRefusedError(f"{effect.path!r} is no path inside the home; an effect stays there")
    path = home / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    if effect.offset is None:
        write_atomically(path, effect.content, PRIVATE if effect.is_private else READABLE)
    else:
        write_from(path, effect.offset, effect.content)
