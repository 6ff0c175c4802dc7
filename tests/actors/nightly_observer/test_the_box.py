"""A night can write nothing but its own folder, and says so when it was not allowed to (dossier, R3 and R34)."""

import os
import shutil
from pathlib import Path

import pytest

from actors.nightly_observer.ordering import NightOrder
from actors.nightly_observer.starting import Start, rung_of, start_night
from actors.nightly_observer.world import key_of, make_folders
from bus.box.errors import IsolationRefusedError
from bus.box.ladder import offer_of
from schemas.night_places import NIGHTS
from tests.night_examples import DATE, changed

ROOT = Path(__file__).parents[3]
SABOTEUR = "tests.actors.nightly_observer.saboteur"
needs_landlock = pytest.mark.skipif(
    not offer_of("landlock+seccomp").is_available, reason=offer_of("landlock+seccomp").why
)
needs_bwrap = pytest.mark.skipif(not offer_of("bwrap").is_available, reason=offer_of("bwrap").why)


@pytest.fixture
def home(tmp_path):
    for place in ("pool", "logs/interface", "journal", "runs", "config"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "pool" / "dream_pool.sqlite").write_bytes(b"pool")
    (tmp_path / "logs" / "interface" / "persist.jsonl").write_bytes(b"")
    (tmp_path / "config" / "secret").write_bytes(b"secret")
    make_folders(tmp_path, DATE)
    return tmp_path


def attempt(home: Path, deed: str, rung: str = "landlock+seccomp"):
    order = NightOrder(
        night_id=f"{DATE}.{deed}",
        date=DATE,
        source="own",
        root="",
        is_seeds_only=True,
        is_parity=False,
        settings_json=changed().model_dump_json(),
        home=str(home),
        rung=rung,
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return start_night(order, key_of(home), Start(environment, 60.0, SABOTEUR))


def state_of(home: Path) -> dict[str, tuple]:
    found = {}
    for path in sorted(home.rglob("*")):
        if NIGHTS not in str(path):
            told = path.stat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (told.st_mode, told.st_size, told.st_mtime_ns, told.st_ino, content)
    return found


@needs_landlock
@pytest.mark.parametrize("deed", ["write", "read", "mode", "socket"])
def test_a_night_that_reaches_for_more_dies_and_says_so(home, deed):
    key_of(home)
    before = state_of(home)

    ended = attempt(home, deed)

    assert ended.result is None
    assert ended.problem.startswith(("the night ended with status 77: EACCES", "the night ended with status 77: EPERM"))
    assert state_of(home) == before
    assert str(home) not in ended.problem


@needs_landlock
def test_a_night_that_keeps_to_itself_lives_and_tells_its_box(home):
    ended = attempt(home, "nothing")

    assert ended.problem is None
    assert ended.result["report"]["block"]["sandbox"].startswith("landlock_abi")
    assert ended.result["report"]["block"]["skip_reason"] == "input_error"


@needs_bwrap
def test_namespaces_hold_it_as_well(home):
    kept, denied = attempt(home, "nothing", "bwrap"), attempt(home, "create", "bwrap")

    assert kept.result["report"]["block"]["sandbox"] == "bwrap"
    assert "EROFS" in denied.problem


def test_a_night_has_files_to_open_and_takes_no_box_that_forbids_it():
    if offer_of("bwrap").is_available or shutil.which("bwrap"):
        assert rung_of("seccomp-no-open", "required") == "bwrap"
    else:
        with pytest.raises(IsolationRefusedError, match="around the night"):
            rung_of("seccomp-no-open", "required")
    with pytest.raises(IsolationRefusedError, match="around the night"):
        rung_of("none", "required")
    assert rung_of("none", "best-effort") == "none"
