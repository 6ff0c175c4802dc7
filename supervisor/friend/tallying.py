"""The last figures of every run of a home, the running one as it stands now.

In: a home. Out: figures, oldest first, each with whether that run runs. A running loop is asked; a run whose figures
cannot be read is left out.
"""

from datetime import UTC, datetime

from supervisor.asking import ask_home
from supervisor.control import Request
from supervisor.errors import NotRunningError
from supervisor.home import Home
from supervisor.runs import RunFigures, list_runs
from supervisor.stats import StatsReport


def figures_of_runs(home: Home) -> list[tuple[RunFigures, bool]]:
    """The figures of the runs of `home`. Raises SupervisorError when a loop runs and does not answer."""
    live = _live(home)
    found = [(figures, False) for run in list_runs(home) if (figures := run.last_figures()) is not None]
    if live is None:
        return found
    at = datetime.now(UTC).isoformat()
    now = RunFigures(
        run_id=live.run_id, reason="running", at=at, uptime_s=live.uptime_s, sections=live.sections
    )  # fmt: skip
    return [each for each in found if each[0].run_id != live.run_id] + [(now, True)]


def _live(home: Home) -> StatsReport | None:
    try:
        return ask_home(home, Request(verb="stats")).stats
    except NotRunningError:
        return None
