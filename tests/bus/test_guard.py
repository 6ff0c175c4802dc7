"""The process guard: only the pool-keeper reaches SQLite, whatever way the import took."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
from bus.guard import PoolForbiddenError, forbid_pool
folder = Path(sys.argv[1])
forbid_pool(folder)
for reach in (lambda: __import__("sqlite3").connect(":memory:"), lambda: open(folder / "dream_pool.sqlite", "wb")):
    try:
        reach()
    except PoolForbiddenError as error:
        print("refused:", error)
"""


def test_a_guarded_process_reaches_neither_sqlite_nor_the_pool(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path.cwd())

    assert done.stdout.count("refused: only the pool-keeper may open") == 2
    assert not (tmp_path / "dream_pool.sqlite").exists()
