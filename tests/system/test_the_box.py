"""The dreamer lives in a box on every rung of the ladder, dreams there, and hears every profile in order."""

import os
import signal
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from bus.box.ladder import offer_of
from bus.core import MessageRef
from bus.recovery import ORIGIN, read_history
from bus.step import decode_step

FAST = (
    "--set=dreamer.rate_hz=60",
    "--set=learner.rounds_hz=30",
    "--set=bias.update_interval_steps=100",
    "--set=learner.test_per_class=8",
)
SMALL_SEGMENTS = "--set=journal.segment_mib=1"
KERNEL_RUNGS = ("landlock+seccomp", "seccomp-no-open")

pytestmark = pytest.mark.system


def begin(house, rung: str, *options: str) -> None:
    offer = offer_of(rung)
    if not offer.is_available:
        pytest.skip(f"no {rung} here: {offer.why}")
    house.up(*FAST, f"--set=supervisor.strongest_box={rung}", *options)
    assert house.answer("status")["isolation"] == rung


def facts(pid: int) -> dict[str, str]:
    """What proc(5) says in `status`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def open_files(pid: int) -> list[str]:
    return [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]


def heard_by_the_dreamer(house) -> list[MessageRef]:
    """The profiles in the dreamer's journal, as it took them."""
    history = read_history(house.home / "journal" / house.runs()[-1] / "dreamer")
    events = [decode_step(frame).event for _, frame in history.steps_after(ORIGIN)]
    return [event for event in events if isinstance(event, MessageRef)]


@pytest.mark.parametrize("rung", KERNEL_RUNGS)
def test_the_kernel_holds_the_dreamer_and_it_has_nothing_open_but_its_own(house, rung: str) -> None:
    begin(house, rung)

    pid = house.pid("dreamer")

    found = facts(pid)
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
    ours = (f"{house.home}/journal/", f"{house.home}/logs/dreamer.log", f"{house.home}/logs/refusals/dreamer.jsonl")
    files = [name for name in open_files(pid) if name.startswith("/") and not name.startswith("/dev/")]
    assert all(name.startswith(ours) for name in files), files
    assert not [name for name in files if "/journal/" in name and "/dreamer" not in name]
    assert not inet_sockets(pid)
    assert not (house.home / "pool" / "stolen").exists()


def inet_sockets(pid: int) -> list[str]:
    """The inodes of sockets of the process that reach beyond the machine."""
    owned = {name.removeprefix("socket:[").removesuffix("]") for name in open_files(pid) if name.startswith("socket:")}
    tables = [Path(f"/proc/{pid}/net/{name}") for name in ("tcp", "tcp6", "udp", "udp6", "raw", "packet")]
    rows = [row.split() for table in tables if table.exists() for row in table.read_text().splitlines()[1:]]
    return [word for row in rows for word in row if word in owned]


@pytest.mark.parametrize("rung", [*KERNEL_RUNGS, "bwrap"])
def test_a_dreamer_that_is_killed_again_and_again_hears_every_profile_once_and_in_order(house, rung: str) -> None:
    begin(house, rung, SMALL_SEGMENTS)

    for count in (1, 3, 5):
        house.until(lambda least=count: house.figure("bias.applied_by_dreamer") >= least)
        house.until(lambda: was_killed(house.pid("dreamer")))
    house.until(lambda: dreamer_of(house)["epoch"] >= 4 and dreamer_of(house)["state"] == "ready")
    house.until(lambda: house.figure("bias.applied_by_dreamer") >= 7)
    house.stop()

    said = [item.ref for item in house.said("bias-synthesizer", "dreamer")]
    heard = heard_by_the_dreamer(house)
    assert heard == said[: len(heard)]
    assert len(heard) >= 7
    replayed = house.run("replay")
    assert replayed.returncode == 0, replayed.stdout
    assert house.run("audit").returncode == 0


def dreamer_of(house) -> dict[str, Any]:
    """The row of the dreamer in `status`."""
    return next(row for row in house.actors() if row["name"] == "dreamer")


def was_killed(pid: int) -> bool:
    """Kill `pid`; False when a successor has taken its place meanwhile."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def test_where_nothing_can_be_opened_a_full_segment_is_followed_by_another_process_and_nothing_is_lost(house) -> None:
    begin(house, "seccomp-no-open", SMALL_SEGMENTS)

    house.until(lambda: len(list((house.home / "journal").glob("*/dreamer/*.seg"))) >= 4)
    rows = {row["name"]: row for row in house.actors()}
    house.stop()

    assert rows["dreamer"]["restarts"] == 0
    said = [item.ref for item in house.said("dreamer", "pool-keeper")]
    with house.pool() as pool:
        stored = pool.execute("SELECT count(*) FROM dreams").fetchone()[0]
    assert stored == len(said)
    assert not list((house.home / "logs").glob("crashes/*"))


def test_no_box_is_refused_unless_the_settings_are_content_with_less(house) -> None:
    refused = house.run("up", "--for", "5", "--set=supervisor.strongest_box=none")

    house.up("--set=supervisor.strongest_box=none", "--set=supervisor.isolation=best-effort")

    assert refused.returncode == 2
    assert 'supervisor.isolation = "best-effort"' in refused.stderr
    shown = house.run("status").stdout
    assert "isolation none" in shown
    assert "without a box" in shown


def test_the_sockets_of_the_dreamer_are_the_users_alone(house) -> None:
    begin(house, "landlock+seccomp")
    inbox = house.socket_of("dreamer")

    assert stat.S_ISSOCK(inbox.stat().st_mode)
    assert stat.S_IMODE(inbox.stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
        assert visitor.connect_ex(str(inbox)) == 0


def test_every_process_has_limits_and_dumps_no_core(house) -> None:
    begin(house, "landlock+seccomp")

    limits = {row["name"]: limits_of(row["pid"]) for row in house.actors() if row["name"] != "supervisor"}

    assert {each["core file size"] for each in limits.values()} == {"0"}
    assert all(each["data size"] != "unlimited" for each in limits.values())
    assert {name for name, each in limits.items() if each["file size"] != "unlimited"} == {"dreamer"}


def limits_of(pid: int) -> dict[str, str]:
    """The soft limits of a process, as proc(5) names them."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {line[4:26].strip(): line[26:47].strip() for line in lines}


def test_what_is_dreamt_is_for_its_user_alone_and_no_token_reaches_an_actor(house) -> None:
    house.with_environment(API_TOKEN="a-secret-of-the-shell")
    begin(house, "landlock+seccomp")

    environments = [Path(f"/proc/{row['pid']}/environ").read_bytes() for row in house.actors()[1:]]

    assert not [text for text in environments if b"a-secret-of-the-shell" in text]
    readable = [path for path in house.home.rglob("*") if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    assert readable == []
