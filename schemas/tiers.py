"""Which settings a trial may change: those of its own processes, those of the machine that an operator opts in to, and
those that nothing here ever touches (seed 003; dossier of the regimes, section 4).

In: names of settings. Out: the same names, checked. Refused: a name of the third tier, opted in to or not, and a name
that nobody knows. Settings of the first tier die with the trial and are fields of `TrialOrder`.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from schemas.errors import SchemaError

DEADMAN_PATH: Final = "regimes/watchdog.alive"
"""File, relative to home, that the watchdog holds locked and refreshes while a trial runs."""
SCRATCH_PATH: Final = "regimes/scratch"
"""Folder, relative to home, of the private folders of trials."""

TIER_B: Final = MappingProxyType(
    {
        "governor": "CPU frequency governor, one of those that the driver offers",
        "epp": "energy performance preference, one of those that the driver offers",
        "max_freq_khz": "highest CPU frequency, kHz, within what the hardware says",
        "min_freq_khz": "lowest CPU frequency, kHz, at most the one before",
        "boost": "0 switches CPU boost off; it is never switched on",
        "thp": "transparent huge pages: always, madvise or never",
        "thp_defrag": "when to compact memory for them: always, defer, defer+madvise, madvise or never",
        "nr_hugepages": "huge pages kept apart, at most a quarter of the memory",
        "swappiness": "vm.swappiness, 0 to 100",
        "dirty_ratio": "vm.dirty_ratio, 5 to 40 per cent",
        "dirty_background_ratio": "vm.dirty_background_ratio, 1 to 20 per cent",
        "dirty_expire_centisecs": "vm.dirty_expire_centisecs, 300 to 3000",
        "read_ahead_kb": "read-ahead of every disk, 0 to 4096 KiB",
        "nr_requests": "requests in the queue of every disk, 16 to 1024",
        "elevator": "I/O scheduler of every disk, one of those that it offers",
        "rapl_limit_uw": "long-term power limit of the CPU packages, microwatts, at most the one before",
    }
)
"""Settings of the machine: by name, by opt-in, with snapshot, journal, read-back and restore."""

_DAMAGE: Final = "can damage hardware or data"
_STABILITY: Final = "can stop the machine or take its protection away"

TIER_C: Final = MappingProxyType(
    {
        r"undervolt|voltage|volt|volts|mv|vdd\w*|vpp|vcore": f"a voltage {_DAMAGE}",
        r"tcl|trcd|trp|tras|trc|trfc|trefi|tfaw|command rate|freq idx|dram|memory timings?": (
            "memory timings are the firmware's; wrong ones corrupt data"
        ),
        r"clock offset|overclock\w*": f"a clock offset {_DAMAGE}",
        r"pl1|pl2|ppt|edc|tdc|tdp|power limit pct|boost duration": f"power above the default {_DAMAGE}",
        r"fans?\d*(?! out)|pwm\d*": f"a fan that is driven by hand {_DAMAGE}",
        r"(rd|wr)?msr": f"a write to a model-specific register {_STABILITY}",
        r"pcie|aspm|apst|nvme|resizable bar": f"a bus or drive feature {_DAMAGE}",
        r"mkfs|u?mount|remount|noatime|commit interval|raw device|blkdiscard|fstrim": "file systems are not for trials",
        r"swapoff|swapon|zram|zswap": f"swap in use {_STABILITY}",
        r"systemctl|(stop|start|mask) services?|irq ?balance": "services of the machine are not for trials",
        r"modprobe|insmod|rmmod|kernel modules?": f"a kernel module {_STABILITY}",
        r"smt|c states?|cstates?|microcode|mitigations?|aslr|isolcpus": f"this {_STABILITY}",
    }
)
"""Words of a name -> why a setting with them is never made, opted in to or not."""


class TierRefusedError(SchemaError):
    """A setting is asked for that may not be set."""

    is_permanent = True

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"setting {name!r} is refused: {reason}")


def why_never(name: str) -> str | None:
    """Why a setting of this name is never made, None when it is not of the third tier."""
    if name in TIER_B:
        return None
    words = re.sub(r"[^a-z0-9]+", " ", name.lower())
    return next((reason for pattern, reason in TIER_C.items() if re.search(rf"\b({pattern})\b", words)), None)


def refuse_tier_c(names: Iterable[str]) -> None:
    """Raise TierRefusedError for the first name of the third tier."""
    for name in names:
        reason = why_never(name)
        if reason is not None:
            raise TierRefusedError(name, f"{reason}; no opt-in allows it: take it out of the configuration")


def check_opt_in(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each once and in order; raises TierRefusedError for one that may not be opted in to."""
    unique = tuple(dict.fromkeys(names))
    refuse_tier_c(unique)
    for name in unique:
        if name not in TIER_B:
            close = get_close_matches(name, TIER_B, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(TIER_B))}"
            raise TierRefusedError(name, f"no such setting of the machine; {hint}")
    return unique
