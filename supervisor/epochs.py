"""The number of each process start within a run, given out once and never again.

In: the instances of a run. Out: the next epoch of one. The number is noted in `epochs.json` before the process
starts, and the segments in the instance's journal are asked as well, so that neither a lost note nor a lost segment
repeats a number.
"""

import json
from contextlib import suppress

from bus.files import write_atomically
from bus.segment import list_segments
from supervisor.runs import RunFolder


class EpochBook:
    """The epochs of one run."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._last = self._read()

    def next(self, instance: str) -> int:
        """The epoch of the process of `instance` that is about to start.

        A full disk does not keep an actor from starting: what was never journalled was never sent, so an epoch that
        is neither noted nor journalled may come again.
        """
        epoch = max(self._last.get(instance, 0), self._journalled(instance)) + 1
        self._last[instance] = epoch
        with suppress(OSError):
            write_atomically(self._run.epochs_file, json.dumps(self._last, sort_keys=True).encode() + b"\n")
        return epoch

    def _read(self) -> dict[str, int]:
        try:
            found = json.loads(self._run.epochs_file.read_bytes())
        except (OSError, ValueError):
            return {}
        return {str(name): int(epoch) for name, epoch in found.items()} if isinstance(found, dict) else {}

    def _journalled(self, instance: str) -> int:
        return max((name.epoch for name, _ in list_segments(self._run.journal / instance)), default=0)
