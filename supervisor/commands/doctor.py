"""`supervisor doctor`: what is wrong with this machine or this home."""

import importlib.util
import json
import os
import platform
import re
import resource
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from schemas.isolation import LADDER, Rung
from supervisor.home import LONGEST_SOCKET_NAME, SOCKET_PATH_LIMIT, Home, runtime_folder
from supervisor.options import home_option, json_option

if TYPE_CHECKING:
    from schemas.settings import SupervisorSettings
    from supervisor.checks import Finding
    from supervisor.lock import Holder

PACKAGES: Final = ("actors", "bus", "schemas", "supervisor")
REQUIREMENT: Final = re.compile(r"^([A-Za-z0-9_.-]+)\s*([^;]*)$")


@click.command()
@home_option
@json_option
@click.option("--probe", "is_probing", is_flag=True, help="Try to break out of the dreamer's box, and show what holds.")
@click.option("--rung", type=click.Choice(LADDER), help="With --probe: the box to try.  [default: that of `up`]")
@click.option("--landlock-abi", type=click.IntRange(1), metavar="N", help="With --probe: use no newer Landlock than N.")
def command(home: Home, as_json: bool, is_probing: bool, rung: Rung | None, landlock_abi: int | None) -> None:
    """Check this machine and this home, and say what is wrong.

    PASS, WARN or FAIL for each check; exit code 1 when one fails. Nothing is started. With --probe, a prisoner is put
    into a throw-away box and tries to get out; exit code 1 when it reaches more than the size of a file. The home is
    not touched.

    \b
    Examples:
      supervisor doctor --home ~/dreams
      supervisor doctor --probe
      supervisor doctor --probe --rung seccomp-no-open --json
    """
    if is_probing:
        _probe(home, rung, landlock_abi, as_json)
        return
    if rung is not None or landlock_abi is not None:
        raise click.UsageError("--rung and --landlock-abi go with --probe")
    findings = (*_check_installation(), *_check_machine(), *_check_home(home))
    if as_json:
        is_ok = all(finding.verdict != "FAIL" for finding in findings)
        click.echo(json.dumps({"ok": is_ok, "checks": [finding.model_dump() for finding in findings]}, indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.verdict}  {finding.name}: {finding.text}")
    if any(finding.verdict == "FAIL" for finding in findings):
        raise click.exceptions.Exit(1)


def _probe(home: Home, rung: Rung | None, max_abi: int | None, as_json: bool) -> None:
    from bus.box.ladder import choose
    from supervisor.errors import UsageError

    if platform.system() != "Linux":
        raise UsageError(f"there is no box on {platform.system()} that could be tried; use Linux")
    from supervisor.probe.probing import probe
    from supervisor.probe.report import draw

    settings, _ = _settings(home)
    report = probe(rung or choose(settings.strongest_box, settings.isolation), max_abi)
    click.echo(report.model_dump_json(indent=2) if as_json else draw(report))
    if not report.ok:
        raise click.exceptions.Exit(1)


def _check_installation() -> "tuple[Finding, ...]":
    from importlib.metadata import requires

    from supervisor import checks

    parsed = (REQUIREMENT.match(line) for line in requires("oneiros") or ())
    wanted = {found.group(1): found.group(2).strip() for found in parsed if found is not None}
    expected = str(Path(__file__).resolve().parents[2])
    return (
        checks.judge_python(tuple(sys.version_info[:3])),
        checks.judge_packages({name: _folder_of(name) for name in PACKAGES}, expected),
        checks.judge_dependencies(wanted, {name: _version_of(name) for name in wanted}),
    )


def _check_machine() -> "tuple[Finding, ...]":
    from bus.box.landlock import landlock_abi
    from supervisor import checks, kernel

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_linux = platform.system() == "Linux"
    return (
        checks.judge_open_files(sys.maxsize if hard == resource.RLIM_INFINITY else hard),
        checks.judge_death_signal(is_linux and kernel.has_death_signal()),
        checks.judge_landlock(landlock_abi()),
    )


def _check_home(home: Home) -> "tuple[Finding, ...]":
    from bus.box.ladder import offers
    from supervisor import checks
    from supervisor.disk import free_mib
    from supervisor.errors import FolderRefusedError
    from supervisor.probe.ladder_finding import judge_ladder

    try:
        home.check_length()
    except FolderRefusedError as error:
        return (checks.judge_home_path(str(error)),)
    settings, problems = _settings(home)
    existing = _nearest_existing(home.root)
    return (
        checks.judge_configuration(problems),
        judge_ladder(offers(), settings.strongest_box, settings.isolation),
        checks.judge_home(str(home.root), _writing_problem(existing)),
        checks.judge_disk_space(free_mib(existing), settings.disk_warn_mib, settings.disk_stop_mib),
        _check_pool(home),
        *_check_running(home),
        checks.judge_clock(time.time(), _newest_run_s(home)),
    )


def _settings(home: Home) -> "tuple[SupervisorSettings, tuple[str, ...]]":
    """The settings that `up` would use, or the defaults, and what is wrong with the home's own."""
    from schemas.errors import SettingsError
    from supervisor.configuration import Sources, default_file, load_configuration

    try:
        return load_configuration(Sources(home)).settings.supervisor, ()
    except SettingsError as error:
        configuration = load_configuration(Sources(home, config=default_file().parent))
        return configuration.settings.supervisor, error.problems


def _check_pool(home: Home) -> "Finding":
    from supervisor import checks

    head, has_log, problem = None, False, None
    log = home.pool_file.with_name(f"{home.pool_file.name}-wal")
    try:
        with home.pool_file.open("rb") as file:
            head = file.read(checks.POOL_HEAD_BYTES)
        has_log = log.is_file() and log.stat().st_size > 0
    except FileNotFoundError:
        pass
    except OSError as error:
        problem = error.strerror or str(error)
    return checks.judge_pool(str(home.pool_file), head, has_log, problem)


def _check_running(home: Home) -> "tuple[Finding, ...]":
    from supervisor import checks
    from supervisor.errors import HomeHiddenError
    from supervisor.kernel import is_alive
    from supervisor.lock import find_dead_holder, find_holder

    try:
        holder, dead = find_holder(home), find_dead_holder(home)
    except HomeHiddenError as error:
        return (checks.judge_hidden_lock(str(error)),)
    is_dead_alive = dead is not None and is_alive(dead.pid)
    return (
        *_check_runtime(home, _pid_of(holder)),
        checks.judge_lock(_pid_of(holder), _pid_of(dead), is_dead_alive),
    )


def _check_runtime(home: Home, running_pid: int | None) -> "tuple[Finding, ...]":
    from bus.endpoints import inbox_path, is_served
    from supervisor import checks
    from supervisor.control import SOCKET_NAME
    from supervisor.errors import FolderRefusedError
    from supervisor.plan import default_seats

    try:
        folder = runtime_folder(home.root)
    except FolderRefusedError as error:
        return (checks.judge_runtime("", 0, SOCKET_PATH_LIMIT, str(error)),)
    names = ("supervisor", *(seat.instance for seat in default_seats()))
    sockets = (folder / SOCKET_NAME, *(inbox_path(folder, name) for name in names))
    served = [str(path) for path in sockets if is_served(path)]
    in_the_way = [str(path) for path in sockets if os.path.lexists(path) and not path.is_socket()]
    longest = len(os.fsencode(folder)) + 1 + LONGEST_SOCKET_NAME
    with suppress(OSError):
        folder.rmdir()  # only looked at: an empty one was made just now
    return (
        checks.judge_runtime(str(folder), longest, SOCKET_PATH_LIMIT, None),
        checks.judge_sockets(served, in_the_way, running_pid),
    )


def _newest_run_s(home: Home) -> float | None:
    from supervisor.runs import list_runs

    try:
        runs = list_runs(home)
    except OSError:  # not for this user to read, which the check of the home tells
        return None
    for run in reversed(runs):
        with suppress(OSError, ValueError):
            return run.read_manifest().started_at_ns / 1e9
    return None


def _pid_of(holder: "Holder | None") -> int | None:
    return None if holder is None else holder.pid


def _nearest_existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _writing_problem(folder: Path) -> str | None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _folder_of(package: str) -> str:
    found = importlib.util.find_spec(package)
    return str(Path(found.origin).parent.resolve()) if found is not None and found.origin is not None else "nowhere"


def _version_of(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
