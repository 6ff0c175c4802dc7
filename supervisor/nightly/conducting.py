"""A night brought to its end: by the observer of the running loop, or by a company brought up for it alone.

In: where settings come from, the request. Out: its `NightReport`. Where a loop runs, its supervisor publishes the
request to the observer that sits there. Where none runs, interrupted runs are brought to their end first; then a run of
the pool-keeper and the nightly-observer alone lives the night, recorded and replayed like any other. An interrupt stops
that run in order; in a running loop the night goes on, and only the waiting ends. Who comes while another night, or a
loop, is just beginning or ending waits for its turn.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from schemas.ids import RunId
from schemas.night import DAY_NS, NightRequest, begin_of
from schemas.night_report import REPORTS_PATH, NightReport, NightReports
from schemas.roles import Role
from supervisor.advice import advise
from supervisor.asking import ask_home
from supervisor.bring_up import clear_runtime
from supervisor.company import Company
from supervisor.configuration import Sources, load_configuration
from supervisor.control import Request
from supervisor.errors import AlreadyRunningError, ControlError, NotRunningError, SilentError, SupervisorError
from supervisor.home import Home, runtime_folder
from supervisor.lock import Holder, find_holder, hold_home
from supervisor.log_lines import utc_text
from supervisor.nursery import actor_environment
from supervisor.pool.orders import stage, writing_orders
from supervisor.runs import RunFolder

OBSERVER: Final[Role] = "nightly-observer"
KEEPER: Final[Role] = "pool-keeper"
MAX_REASON_CHARS: Final = 400
COMPANY: Final = Company((KEEPER, OBSERVER), OBSERVER, "night")
LOOK_S: Final = 0.1
ALIVE_S: Final = 5.0
"""How often it is looked whether somebody still lives the night."""
TURN_S: Final = 20.0
"""How long a supervisor may hold the home and not be heard, before that is told as a fault."""
MOST_TURNS: Final = 3
"""How often a night is asked for anew when the loop that was asked is gone."""

Waiting = Callable[[float], None]
"""Told now and then how long the night has taken, s."""


class NightLostError(SupervisorError):
    """Nobody lives the night that was asked for."""


class LoopGoneError(NightLostError):
    """The loop that was asked ended before the night did."""


def conduct(sources: Sources, request: NightRequest, waiting: Waiting) -> NightReport:
    """Have the night lived. Raises OneirosError when nobody can."""
    sources.home.create()
    return in_turn(lambda: _conduct(sources, request, waiting))


def in_turn(
    conducted: Callable[[], NightReport],
    clock_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> NightReport:
    """What `conducted` gives, called again while whoever holds the home begins or ends. Raises what it raises last."""
    until_s, turns = clock_s() + TURN_S, 1
    while True:
        try:
            return conducted()
        except LoopGoneError:
            if turns == MOST_TURNS:
                raise
            until_s, turns = clock_s() + TURN_S, turns + 1
        except (ControlError, NotRunningError, AlreadyRunningError) as error:
            if isinstance(error, SilentError) or clock_s() > until_s:
                raise
        sleep(LOOK_S)


def _conduct(sources: Sources, request: NightRequest, waiting: Waiting) -> NightReport:
    home = sources.home
    if find_holder(home) is not None:
        return _by_the_running(home, request, waiting)
    runtime = runtime_folder(home.root)
    with hold_home(home, Holder(pid=os.getpid(), started_at=utc_text(time.time()), runtime=str(runtime))):
        try:
            return _by_a_company(sources, runtime, request, waiting)
        finally:
            clear_runtime(runtime)


def report_on(home: Home, night_id: str) -> NightReport | None:
    """What came of a request; None while nothing did."""
    try:
        return NightReports.model_validate_json((home.root / REPORTS_PATH).read_bytes()).of(night_id)
    except (OSError, ValidationError):
        return None


def say_to_observer(home: Home, run: RunFolder, observer: str, request: NightRequest) -> None:
    """Let the observer of the run that is lived hear `request`. Raises ControlError."""
    with writing_orders(run):
        staged = stage(run, run.read_manifest(), [request], lambda _count: None, observer)
        ask_home(home, Request(verb="publish", segment=staged.segment))


def _by_the_running(home: Home, request: NightRequest, waiting: Waiting) -> NightReport:
    run, observer = _observer_of(home)
    say_to_observer(home, run, observer, request)
    began = asked = time.monotonic()
    while (report := report_on(home, request.night_id)) is None:
        if find_holder(home) is None:
            raise LoopGoneError("the loop was stopped before the night was over; say the command again")
        if time.monotonic() > asked + ALIVE_S:
            _observer_of(home)
            asked = time.monotonic()
        waiting(time.monotonic() - began)
        time.sleep(LOOK_S)
    return report


def _observer_of(home: Home) -> tuple[RunFolder, str]:
    """The run that is lived, and its observer. Raises ControlError, and NightLostError for one that was given up."""
    status = ask_home(home, Request(verb="status")).status
    if status is None:
        raise ControlError("the supervisor's answer does not say which run it lives")
    observers = [actor for actor in status.actors if actor.role == OBSERVER]
    if not observers:
        raise NightLostError("no nightly-observer sits in the run; stop it and say the command again")
    if observers[0].state == "failed":
        why = observers[0].reason or "it failed too often"
        raise NightLostError(f"{observers[0].name} was given up ({why}); {advise('restart ' + OBSERVER, home.root)}")
    return RunFolder(home, RunId(status.run_id)), observers[0].name


def _by_a_company(sources: Sources, runtime: Path, request: NightRequest, waiting: Waiting) -> NightReport:
    home, began = sources.home, time.monotonic()

    def is_over() -> bool:
        waiting(time.monotonic() - began)
        return report_on(home, request.night_id) is not None

    life = COMPANY.carry_out(sources, runtime, request, is_over)
    report = report_on(home, request.night_id)
    if report is None:
        why = life.supervision.cannot_start
        reasons = "; ".join(f"{name} cannot start: {reason}" for name, reason in why.items())
        if KEEPER in why:
            return _without_pool(sources, request, reasons)
        raise NightLostError(reasons or f"the night was not lived: {life.supervision.stop_reason}")
    return report


def _without_pool(sources: Sources, request: NightRequest, reasons: str) -> NightReport:
    """The night of a home whose pool cannot be opened: it finds no input, and says so where nights are looked for."""
    from actors.nightly_observer.ordering import NightOrder
    from actors.nightly_observer.starting import Start, rung_of, start_night
    from actors.nightly_observer.world import key_of, make_folders

    settings, home = load_configuration(sources).settings, sources.home.root.resolve()
    asked = request.model_dump(include=set(NightOrder.__dataclass_fields__) & set(NightRequest.model_fields))
    is_partial = time.time_ns() < begin_of(request.date) + DAY_NS
    rung = rung_of(settings.supervisor.strongest_box, settings.supervisor.isolation)
    order = NightOrder(**asked, home=str(home), rung=rung, is_partial=is_partial)
    make_folders(home, order.date)
    ended = start_night(order, key_of(home), Start(actor_environment(os.environ), settings.nightly.limit_s))
    if ended.result is None:
        raise NightLostError(f"{reasons}; {ended.problem}")
    report = NightReport.model_validate_json(json.dumps(ended.result["report"]))
    return report.model_copy(update={"notes": (*report.notes, reasons[:MAX_REASON_CHARS])})
