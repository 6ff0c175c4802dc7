"""The last line of the law inside a process: an audit hook that refuses the pool to everyone but the pool-keeper.

Import contracts stop a static import of `sqlite3`; a dynamic one slips through them. Once armed, this process cannot
connect to any SQLite file nor open anything inside the pool folder, and the hook cannot be removed.
"""

import os
import sys
from pathlib import Path

from schemas.errors import OneirosError


class PoolForbiddenError(OneirosError):
    """A process that is not the pool-keeper reached for the pool."""


def forbid_pool(pool_folder: Path) -> None:
    """Arm the hook for this process, for good."""
    inside = str(pool_folder.resolve()) + os.sep

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event == "sqlite3.connect":
            raise PoolForbiddenError("only the pool-keeper may open SQLite; ask it by message")
        if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(inside):
            raise PoolForbiddenError(f"only the pool-keeper may open {arguments[0]}; ask it by message")

    sys.addaudithook(refuse)
