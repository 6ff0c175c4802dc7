"""The packaged regimes on a made-up host, and trials that are run without a guard."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from actors.regime_runner.genomes import default_genome
from actors.regime_runner.rows import Rendered, Unavailable, render
from schemas.cap_settings import CapsConfig
from schemas.regime_files import load_caps, load_regimes
from schemas.regime_settings import Host, RegimeConfig
from schemas.regimes import Domain, Genome, Noise, Profile, Reading, Regime, TrialResult

ROOT = Path(__file__).parents[1]
REGIMES_TEXT = (ROOT / "config" / "regimes.yaml").read_bytes()
CAPS_TEXT = (ROOT / "config" / "caps.yaml").read_bytes()
CONFIG: RegimeConfig = load_regimes(REGIMES_TEXT)
CAPS: CapsConfig = load_caps(CAPS_TEXT)
GIB = 1024**3


def host_of(**changes: Any) -> Host:
    """Four processors on two cores, everything installed, no GPU."""
    facts: dict[str, Any] = {
        "cpus": (0, 1, 2, 3),
        "cores": ((0, 2), (1, 3)),
        "memory_available_bytes": 16 * GIB,
        "scratch_free_bytes": 100 * GIB,
        "programs": {
            "python3": sys.executable,
            "fio": "/usr/bin/fio",
            "cyclictest": "/usr/bin/cyclictest",
            "stress-ng": "/usr/bin/stress-ng",
            "espeak-ng": "/opt/speech/espeak-ng",
        },
        "versions": {"fio": "fio-3.33"},
        "modules": ("pocketsphinx",),
        "gpus": 0,
        "packages": str(ROOT),
    }
    return Host(**(facts | changes))


def genome_of(domain: Domain, **changes: int | float | str) -> Genome:
    """The default genome of `domain` with `changes`."""
    return default_genome(CONFIG, domain) | changes


def rendered(
    domain: Domain, regime: Regime, profile: Profile = "quick", host: Host | None = None, **genes: int | float | str
) -> Rendered:
    """One trial; the row has to be available."""
    row = render(CONFIG, CAPS, host or host_of(), (domain, regime, profile), genome_of(domain, **genes))
    assert isinstance(row, Rendered), row
    return row


def missing(domain: Domain, regime: Regime, host: Host) -> Unavailable:
    """What `host` lacks for the row."""
    row = render(CONFIG, CAPS, host, (domain, regime, "quick"), genome_of(domain))
    assert isinstance(row, Unavailable), row
    return row


def result_of(stdout: str = "", stderr: str = "", **changes: Any) -> TrialResult:
    """The result of a trial that printed this and ended well."""
    nothing = Reading(value=None, unit="share", source=None, reason="not looked at")
    facts: dict[str, Any] = {
        "trial_id": "t1",
        "status": "done",
        "exit_code": 0,
        "wall_s": 1.0,
        "cpu_s": 0.5,
        "max_rss_kib": 1000,
        "stdout": stdout,
        "stderr_tail": stderr,
        "oom": Reading(value=0.0, unit="kills", source="memory.events", reason=None),
        "argv": ("/bin/true",),
        "background": (),
        "env": {},
        "applied": {},
        "noise": Noise(psi_cpu_avg=nothing, steal_share=nothing, load1=nothing),
        "written_bytes": 0,
    }
    return TrialResult(**(facts | changes))


def run_plainly(row: Rendered, scratch: Path, **env: str) -> TrialResult:
    """Run a trial as a guard would, without one; `scratch` is a folder that does not exist yet."""
    scratch.mkdir()
    commands = [[text.replace("{scratch}", str(scratch)) for text in argv] for argv in (*row.background, row.argv)]
    environment = {"PATH": os.environ["PATH"], **row.env, **env}
    beside = [subprocess.Popen(command, cwd=scratch, env=environment) for command in commands[:-1]]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    try:
        ended = subprocess.run(
            commands[-1], cwd=scratch, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        for process in beside:
            process.terminate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for process in beside:
        process.wait()
    return result_of(
        ended.stdout,
        ended.stderr[-2000:],
        status="done" if ended.returncode == 0 else "failed",
        exit_code=ended.returncode,
        wall_s=time.monotonic() - begun,
        cpu_s=max(0.0, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime),
        argv=tuple(commands[-1]),
    )
