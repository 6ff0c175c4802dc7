"""A night over a real run's day, asked for while the loop runs and when it does not (seed 004; issue: the night)."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from actors.nightly_observer.ordering import NightOrder, Told, to_line
from actors.nightly_observer.sealing import new_identity
from schemas.night import night_at
from schemas.night_places import NIGHTS
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home
from supervisor.nightly.comparing import compare
from tests.night_examples import changed
from tests.system.conftest import FAST, House

pytestmark = pytest.mark.system
CALLS = "openat,open,creat,socket,connect,landlock_restrict_self"
WORDS = (
    *("abalone", "bassoon", "cinnabar", "dulcimer", "egret", "fennel", "gazebo", "harpoon", "indigo", "jasmine"),
    *("kumquat", "lantern", "mandolin", "nutmeg", "obelisk", "paprika", "quiver", "rhubarb", "saffron", "tamarind"),
)
CANARIES = tuple(f"canary {word} sings" for word in WORDS)


def today() -> str:
    return night_at(int(datetime.now(UTC).timestamp()) * 10**9)


@pytest.fixture
def recipient(house: House) -> str:
    _, recipient = new_identity()
    config = house.home / "config"
    config.mkdir(parents=True)
    text = "dream:\n  generate_when: {allow_if_all_zero: true}\n  storage:\n    recipients: [RECIPIENT]\n"
    (config / "runtime.yaml").write_text(text.replace("RECIPIENT", recipient))
    return recipient


def manifest(home: Path, run: str) -> dict[str, tuple]:
    """All that a night may look at, of one run and of the pool, as it stands."""
    found = {}
    for place in ("logs/interface", "pool", f"journal/{run}", f"runs/{run}"):
        for path in sorted((home / place).rglob("*")):
            if path.name == "dream_pool.lock":
                continue  # says which process held the pool last
            told = path.stat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (told.st_size, told.st_mode, told.st_mtime_ns, told.st_ino, content)
    return found


def tell_of(house: House, *words: str) -> dict:
    done = house.run("nightly run", today(), *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def outputs_of(house: House) -> bytes:
    """All that nights left behind, and what they logged."""
    files = [path for path in (house.home / NIGHTS).rglob("*") if path.is_file()]
    files += [house.home / "data" / "nights.json", house.home / "logs" / "nightly-observer.log"]
    return b"\n".join(path.read_bytes() for path in files)


def raw_ids(house: House) -> list[str]:
    with house.pool() as pool:
        found = [row[0] for row in pool.execute("SELECT id FROM dreams UNION SELECT query_id FROM retrievals")]
        return found + [row[0].hex() for row in pool.execute("SELECT tensor_sha256 FROM dreams")]


def test_a_night_looks_back_and_nothing_flows_back(house: House, recipient: str, tmp_path: Path) -> None:
    facts = tmp_path / "facts.txt"
    facts.write_text("\n".join(CANARIES))
    log = house.home / "logs" / "interface" / "feedback.jsonl"
    house.up(*FAST, "--factoids", str(facts), ready=False)
    house.until(lambda: log.is_file() and log.stat().st_size > 0)

    in_the_loop = tell_of(house)
    house.stop()
    run = house.runs()[0]
    before = manifest(house.home, run)
    alone = tell_of(house)
    after = manifest(house.home, run)
    settings = load_configuration(Sources(Home(house.home))).settings
    replayed = compare(Home(house.home), today(), settings)
    proved = house.run("replay", run, "--actor", "nightly-observer")
    log.write_bytes(log.read_bytes().replace(b'"utility":', b'"utility":1', 1))
    altered = compare(Home(house.home), today(), settings)

    assert in_the_loop["standing"] == alone["standing"] == "done"
    assert alone["block"]["status"] == "generated"
    assert alone["block"]["sandbox"] != "none"
    assert after == before
    assert (replayed.is_same, proved.returncode) == (True, 0), proved.stdout
    assert (altered.is_same, "feedback" in str(altered.changed_inputs)) == (False, True)
    kinds = {item.kind for receiver in ("dreamer", "learner", "bias-synthesizer") for item in said_to(house, receiver)}
    assert kinds == set()
    _no_id_and_no_canary(house, json.dumps([in_the_loop, alone]).encode())


def said_to(house: House, receiver: str) -> list:
    return house.said("nightly-observer", receiver)


def _no_id_and_no_canary(house: House, stdout: bytes) -> None:
    text = outputs_of(house) + stdout
    ids = raw_ids(house)
    heads = {hashlib.new(name, each.encode()).hexdigest()[:8] for each in ids for name in ("md5", "sha1", "sha256")} | {
        each[:8] for each in ids
    }
    found = {token[:8].decode() for token in re.findall(rb"[0-9a-f]{8,}", text)}

    assert len(ids) > 20
    assert [word for word in CANARIES if word.encode() in text] == []
    assert found & heads == set()


def test_the_kernel_sees_no_file_opened_for_writing_but_in_the_folder_of_nights(house: House, tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    from actors.nightly_observer.world import key_of, make_folders

    home = tmp_path / "nights"
    for place in ("logs", "journal", "runs"):
        (home / place).mkdir(parents=True)
    make_folders(home, today())
    settings = changed(storage__encrypt=False, generate_when__allow_if_all_zero=True).model_dump_json()
    order = NightOrder("n", today(), "own", "", False, False, settings, str(home), "landlock+seccomp")
    child = (sys.executable, "-B", "-P", "-m", "actors.nightly_observer.child")
    traced = ("strace", "-f", "-o", str(tmp_path / "calls"), "-e", f"trace={CALLS}", *child)
    environment = {"PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}

    done = subprocess.run(
        traced, input=to_line(Told(order, key_of(home))), capture_output=True, env=environment, check=False
    )

    calls = (tmp_path / "calls").read_text().splitlines()
    boxed = calls[next(at for at, line in enumerate(calls) if "landlock_restrict_self(" in line) :]
    written = [line for line in calls if re.search(r"O_WRONLY|O_RDWR|O_CREAT|creat\(", line) and "= -1" not in line]
    assert done.returncode == 0, done.stderr
    assert written != []
    assert [line for line in written if f'"{home / NIGHTS}/' not in line] == []
    assert [line for line in boxed if re.search(r"\b(socket|connect)\(", line) and "= -1" not in line] == []


def test_a_damaged_pool_is_a_night_without_input_and_nothing_else(house: House, recipient: str) -> None:
    pool = house.home / "pool"
    pool.mkdir(mode=0o700)
    (pool / "dream_pool.sqlite").write_bytes(b"no database at all" * 100)

    done = house.run("nightly run", "2026-01-31", "--json")

    told = json.loads((house.home / NIGHTS / "2026-01-31" / "nightly.json").read_text())
    assert (done.returncode, told["dream"]["status"], told["dream"]["skip_reason"]) == (1, "skipped", "input_error")
    assert any("pool-keeper cannot start" in note for note in json.loads(done.stdout)["notes"])
    assert house.run("nightly verify", "--json").returncode == 0
