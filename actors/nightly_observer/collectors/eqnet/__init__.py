"""A night of EQNet's own logs in the terms of ours (seed 004 was written for it; its origin never built the stage).

In: a folder that holds what EQNet writes, the date, the settings. Out: what was observed, how forgetting went, the
manifest of what was read, and the problems met. Nothing is ever written below the folder, and no missing, damaged or
odd file stops a night: `status` is `missing` where nothing could be told.
"""

from actors.nightly_observer.collectors.eqnet.night import EqnetNight, read_eqnet

__all__ = ["EqnetNight", "read_eqnet"]
