"""The machine is as it was: after a trial, after an error, after SIGKILL, after a restart; and nothing is assumed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actors.safety_watchdog.layout import SensorTree
from actors.safety_watchdog.tier_b import TierB
from schemas.tiers import TIER_B
from tests.trial_house import ROOT, SensorFiles

WANTED = {
    "governor": "performance",
    "epp": "power",
    "max_freq_khz": 2_000_000,
    "min_freq_khz": 400_000,
    "boost": 0,
    "thp": "never",
    "thp_defrag": "defer",
    "nr_hugepages": 16,
    "swappiness": 10,
    "dirty_ratio": 30,
    "dirty_background_ratio": 5,
    "dirty_expire_centisecs": 1500,
    "read_ahead_kb": 512,
    "nr_requests": 64,
    "elevator": "mq-deadline",
    "rapl_limit_uw": 50_000_000,
}
KILLED = """
import os, signal, sys
from pathlib import Path
from actors.safety_watchdog.layout import SensorTree
from actors.safety_watchdog.tier_b import TierB
import json
root, journal = Path(sys.argv[1]), Path(sys.argv[2])
wanted = json.loads(sys.argv[3])
changes = TierB(SensorTree(root), journal, wanted)
print(json.dumps(changes.apply(wanted, "trial-1")), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def tree(tmp_path: Path) -> SensorFiles:
    """A machine that has every setting there is."""
    files = SensorFiles(tmp_path / "machine")
    for policy in ("policy0", "policy1"):
        folder = f"devices/system/cpu/cpufreq/{policy}"
        files.write(f"{folder}/scaling_governor", "powersave")
        files.write(f"{folder}/scaling_available_governors", "performance powersave")
        files.write(f"{folder}/energy_performance_preference", "balance_performance")
        files.write(f"{folder}/energy_performance_available_preferences", "balance_performance power")
        files.write(f"{folder}/scaling_max_freq", 3_000_000)
        files.write(f"{folder}/scaling_min_freq", 800_000)
        files.write(f"{folder}/cpuinfo_min_freq", 400_000)
    files.write("devices/system/cpu/cpufreq/boost", 1)
    files.write("kernel/mm/transparent_hugepage/enabled", "always [madvise] never")
    files.write("kernel/mm/transparent_hugepage/defrag", "always defer [madvise] never")
    files.write("block/sda/queue/read_ahead_kb", 128)
    files.write("block/sda/queue/nr_requests", 256)
    files.write("block/sda/queue/scheduler", "[none] mq-deadline")
    files.write("block/loop0/queue/read_ahead_kb", 128)
    files.write("class/powercap/intel-rapl:0/constraint_0_power_limit_uw", 65_000_000)
    numbers = {"nr_hugepages": 0, "swappiness": 60, "dirty_ratio": 20, "dirty_background_ratio": 10}
    for name, value in (numbers | {"dirty_expire_centisecs": 3000}).items():
        files.write(f"proc/sys/vm/{name}", value)
    files.write("proc/meminfo", "MemTotal:       16000000 kB")
    return files


def contents(files: SensorFiles) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in files.root.rglob("*") if path.is_file()}


def changes_of(files: SensorFiles, opted_in=tuple(TIER_B)) -> TierB:
    return TierB(SensorTree(files.root), files.root.parent / "home/regimes/changes.jsonl", opted_in)


def say(files: SensorFiles, path: str) -> str:
    return (files.root / path).read_text().strip()


def test_every_setting_is_made_and_put_back_byte_for_byte(tree: SensorFiles) -> None:
    before = contents(tree)
    changes = changes_of(tree)

    applied = changes.apply(WANTED, "trial-1")
    during = contents(tree)
    failed = changes.restore()

    assert set(WANTED) == set(TIER_B)
    assert applied == dict.fromkeys(WANTED, "applied")
    assert say(SensorFiles(tree.root), "proc/sys/vm/swappiness") == "60"
    assert len([path for path in before if during[path] != before[path]]) == len(WANTED) + 4
    assert during[str(tree.root / "block/loop0/queue/read_ahead_kb")] == b"128\n"
    assert failed == {} and contents(tree) == before


def test_what_a_killed_watchdog_has_changed_is_put_back_by_the_next(tree: SensorFiles, tmp_path: Path) -> None:
    before = contents(tree)
    command = [sys.executable, "-c", KILLED, str(tree.root), str(tmp_path / "home/regimes/changes.jsonl")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [*command, json.dumps(WANTED)], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert json.loads(ended.stdout) == dict.fromkeys(WANTED, "applied") and contents(tree) != before

    lines = changes_of(tree).recover()

    assert contents(tree) == before
    assert "were left changed by a watchdog that was killed" in lines[0]
    assert changes_of(tree).recover() == ()


def test_two_watchdogs_never_take_each_others_changes_for_what_the_machine_said_before(
    tree: SensorFiles, tmp_path: Path
) -> None:
    before = contents(tree)
    first = changes_of(tree)
    second = TierB(SensorTree(tree.root), tmp_path / "other/regimes/changes.jsonl", tuple(TIER_B))

    first.apply({"governor": "performance"}, "trial-1")
    refused = second.apply({"governor": "performance", "swappiness": 10}, "trial-2")
    first.restore()
    second.restore()
    later = second.apply({"swappiness": 10}, "trial-3")
    second.restore()

    assert all(how.startswith("refused: another watchdog") for how in refused.values())
    assert later == {"swappiness": "applied"} and contents(tree) == before


@pytest.mark.parametrize("has_offer", [True, False], ids=["with the list of governors", "without"])
def test_a_governor_is_set_per_processor_where_there_is_no_policy(tmp_path: Path, has_offer: bool) -> None:
    files = SensorFiles(tmp_path / "machine")
    for cpu in ("cpu0", "cpu1"):
        files.write(f"devices/system/cpu/{cpu}/cpufreq/scaling_governor", "schedutil")
        if has_offer:
            files.write(f"devices/system/cpu/{cpu}/cpufreq/scaling_available_governors", "powersave schedutil")
    changes = changes_of(files)

    applied = changes.apply({"governor": "powersave"}, "trial-1")
    during = {say(files, f"devices/system/cpu/{cpu}/cpufreq/scaling_governor") for cpu in ("cpu0", "cpu1")}

    assert (applied, during) == ({"governor": "applied"}, {"powersave"})
    assert changes.restore() == {} and say(files, "devices/system/cpu/cpu1/cpufreq/scaling_governor") == "schedutil"


@pytest.mark.parametrize("cut_bytes", [1, 40, 150])
def test_a_journal_that_was_cut_off_is_used_up_to_there(tree: SensorFiles, tmp_path: Path, cut_bytes: int) -> None:
    before = contents(tree)
    changes_of(tree).apply({"swappiness": 10, "thp": "never"}, "trial-1")
    journal = tmp_path / "home/regimes/changes.jsonl"
    written = contents(tree)
    whole = journal.read_bytes()
    journal.write_bytes(whole[: whole.rindex(b'{"change"') + cut_bytes])
    # what was not journalled was not made: the last file still says what it said
    thp = tree.root / "kernel/mm/transparent_hugepage/enabled"
    thp.write_bytes(before[str(thp)])

    changes_of(tree).recover()
    again = changes_of(tree).recover()

    assert written != before and contents(tree) == before
    assert again == ()


def test_after_a_reboot_the_journal_is_dropped_and_that_is_said(tree: SensorFiles, tmp_path: Path) -> None:
    changes_of(tree).apply({"swappiness": 10}, "trial-1")
    other_boot = tmp_path / "boot_id"
    other_boot.write_text("another-boot\n")
    rebooted = TierB(SensorTree(tree.root), tmp_path / "home/regimes/changes.jsonl", (), other_boot)

    lines = rebooted.recover()

    assert say(tree, "proc/sys/vm/swappiness") == "10"
    assert len(lines) == 1 and "forgotten with the last boot" in lines[0] and "swappiness" in lines[0]


def test_a_name_that_was_not_opted_in_to_is_not_made(tree: SensorFiles) -> None:
    before = contents(tree)

    applied = changes_of(tree, ("thp",)).apply({"swappiness": 10, "thp": "never"}, "trial-1")

    assert applied["thp"] == "applied" and applied["swappiness"].startswith("refused: the operator has not opted in")
    assert say(tree, "proc/sys/vm/swappiness") == before[str(tree.root / "proc/sys/vm/swappiness")].decode().strip()


@pytest.mark.parametrize("name", ["fan_pwm", "cpu_undervolt_mv", "smt_enabled", "colour"])
def test_a_name_of_the_third_tier_is_not_made_even_with_an_opt_in(tree: SensorFiles, name: str) -> None:
    before = contents(tree)

    applied = changes_of(tree, (name,)).apply({name: 1}, "trial-1")

    assert applied[name].startswith("refused: ") and contents(tree) == before


@pytest.mark.parametrize(
    ("name", "value", "becomes"),
    [
        ("swappiness", 500, "clamped: 100"),
        ("max_freq_khz", 9_000_000, "clamped: 3000000"),
        ("max_freq_khz", 1, "clamped: 400000"),
        ("rapl_limit_uw", 90_000_000, "clamped: 65000000"),
        ("nr_hugepages", 10_000_000, f"clamped: {16_000_000 // 2048 // 4}"),
        ("governor", "ondemand", "refused: 'ondemand' is not offered"),
        ("boost", 1, "refused: boost is only ever switched off"),
        ("swappiness", "lots", "refused: 'lots' is no whole number"),
    ],
)
def test_a_value_is_held_to_its_range_or_refused(tree: SensorFiles, name: str, value: object, becomes: str) -> None:
    before = contents(tree)
    changes = changes_of(tree)

    applied = changes.apply({name: value}, "trial-1")

    assert applied[name].startswith(becomes)
    assert changes.restore() == {} and contents(tree) == before


def test_what_the_machine_does_not_have_is_unsupported(tmp_path: Path) -> None:
    bare = SensorFiles(tmp_path / "bare")

    applied = changes_of(bare).apply(WANTED, "trial-1")

    assert all(how.startswith("unsupported: this machine has no ") for how in applied.values())


def test_a_ratio_is_not_set_where_the_machine_sets_bytes(tree: SensorFiles) -> None:
    tree.write("proc/sys/vm/dirty_ratio", 0)

    applied = changes_of(tree).apply({"dirty_ratio": 20}, "trial-1")

    assert applied["dirty_ratio"].startswith("refused: the machine sets a number of bytes")


def test_a_setting_of_several_files_that_fails_half_way_is_undone(tree: SensorFiles) -> None:
    before = contents(tree)
    second = tree.root / "devices/system/cpu/cpufreq/policy1/scaling_governor"
    second.unlink()
    second.symlink_to("/proc/version")

    applied = changes_of(tree).apply({"governor": "performance"}, "trial-1")

    assert applied["governor"].startswith("refused: ")
    first = tree.root / "devices/system/cpu/cpufreq/policy0/scaling_governor"
    assert first.read_bytes() == before[str(first)]


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="shown by giving root's rights up")
def test_an_ordinary_user_is_told_that_it_may_not(tree: SensorFiles, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    for path in tree.root.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    before = contents(tree)
    command = [sys.executable, "-c", KILLED, str(tree.root), str(tmp_path / "home/regimes/changes.jsonl")]
    plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command, json.dumps({"swappiness": 10})]

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(plain, env=environment, capture_output=True, text=True, timeout=30, check=False)

    assert "this user may not write it" in json.loads(ended.stdout)["swappiness"], ended.stderr
    assert contents(tree) == before


def test_what_cannot_be_put_back_is_told_and_tried_again(tree: SensorFiles) -> None:
    before = contents(tree)
    changes = changes_of(tree)
    changes.apply({"swappiness": 10}, "trial-1")
    file = tree.root / "proc/sys/vm/swappiness"
    file.unlink()
    file.symlink_to("/proc/version")

    failed = changes.restore()
    file.unlink()
    file.write_text("10")
    lines = changes_of(tree).recover()

    assert failed["swappiness"].startswith("not restored: ") and str(file) in failed["swappiness"]
    assert lines and contents(tree) == before


def test_what_somebody_else_changed_during_a_trial_is_told(tree: SensorFiles) -> None:
    changes = changes_of(tree)
    changes.apply({"swappiness": 10}, "trial-1")
    tree.write("kernel/mm/transparent_hugepage/enabled", "[always] madvise never")

    told = changes.restore()

    assert list(told) == [str(tree.root / "kernel/mm/transparent_hugepage/enabled")]
    assert "before the trial" in next(iter(told.values()))


def test_a_journal_that_is_none_stops_the_watchdog_in_words(tree: SensorFiles, tmp_path: Path) -> None:
    journal = tmp_path / "home/regimes/changes.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text('{"change": {"colour": "red"}}\n')

    with pytest.raises(Exception, match="is no journal of changes"):
        changes_of(tree)
