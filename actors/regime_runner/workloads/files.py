"""Small files: made, written, examined, read back and removed.

In: a folder of its own, a rate, threads, how often to fsync, the most bytes to write. Out: files a second and the
time of each. A file that reads otherwise than it was written, or cannot be made, is an error. The folder is empty in
the end.
"""

import os
from pathlib import Path
from typing import Final

from actors.regime_runner.workloads.command_line import read
from actors.regime_runner.workloads.pacing import Pace, run
from actors.regime_runner.workloads.sampling import tell

SIZE: Final = 4096


class Clerk:
    """One thread's files."""

    def __init__(self, folder: Path, number: int, fsync_every: int, max_files: int) -> None:
        self._path = folder / f"file-{number}"
        self._fsync_every = fsync_every
        self._left = max_files
        self._count = 0

    def file(self) -> int:
        """One file, from making to removing; returns 1 where something is wrong with it."""
        self._count += 1
        if self._count > self._left:
            return 1
        content = self._count.to_bytes(8, "little") * (SIZE // 8)
        try:
            with self._path.open("wb") as file:
                file.write(content)
                if self._fsync_every and self._count % self._fsync_every == 0:
                    file.flush()
                    os.fsync(file.fileno())
            is_whole = self._path.stat().st_size == SIZE and self._path.read_bytes() == content
            self._path.unlink()
        except OSError:
            return 1
        return int(not is_whole)


def main() -> None:
    """Measure once and tell."""
    options = read("files")
    folder, threads = Path(options.text("folder")), options.whole("threads")
    folder.mkdir()
    most = options.whole("bytes") // SIZE // threads
    clerks = [Clerk(folder, number, options.whole("fsync-every"), most) for number in range(threads)]
    pace = Pace(options.number("seconds"), options.number("rate"))
    tally, elapsed = run(lambda worker: clerks[worker].file(), pace, threads)
    tally.figures = {"write_error_rate": tally.errors / max(1, tally.samples.count)}
    tell(tally, "files/s", elapsed)
    folder.rmdir()


if __name__ == "__main__":
    main()
