"""The machine, looked at once before an evaluation, so that results say what they are of.

In: the folder of the trials. Out: a `Survey`, which becomes an input like any other: what the machine offers to trials,
and what its results may be compared with.
"""

from pathlib import Path

from actors.regime_runner.fingerprint import MachineFacts, look_at_machine
from actors.regime_runner.host import look
from schemas.base import Record
from schemas.regime_settings import Host


class Survey(Record):
    """What results depend on beside genome and workload."""

    host: Host
    machine: MachineFacts


def take_survey(scratch: Path) -> Survey:
    """Look at everything; `scratch` is where the trials will write."""
    return Survey(host=look(scratch), machine=look_at_machine())


def glance(scratch: Path) -> Survey:
    """Look without starting any tool: enough to list and to plan, too little to measure by."""
    return Survey(host=look(scratch, asks_versions=False), machine=look_at_machine())
