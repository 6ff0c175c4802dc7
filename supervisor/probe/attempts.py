"""The battery: every way out that is tried, and all that has to work inside.

In: nothing. Out: the table, in the order in which it is tried; what would change the prisoner itself comes last.
"""

from typing import Final

from supervisor.probe import files, kernel_doors, memory, processes, sockets
from supervisor.probe.attempt import Attempt

ATTEMPTS: Final[tuple[Attempt, ...]] = (
    *files.ATTEMPTS,
    *sockets.ATTEMPTS,
    *memory.ATTEMPTS,
    *processes.ATTEMPTS,
    *kernel_doors.ATTEMPTS,
    processes.LAST,
)
BY_NAME: Final = {attempt.name: attempt for attempt in ATTEMPTS}
