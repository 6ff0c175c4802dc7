"""From what a trial printed to what it measured.

In: the rendered row and the guard's result. Out: `Measured`: perf, p95_ms and errors, each a value with its source or
null with the reason, the raw samples, figures of quality. It never raises and never guesses: a trial that did not end
well, or output that is not what the program should print, gives at least one error and no other number. p95_ms is
always one of the raw samples (nearest rank).
"""

import math
from typing import Final

from actors.regime_runner.parsers import cyclictest, fio, kernel
from actors.regime_runner.parsers.output import Output, OutputRefusedError
from actors.regime_runner.rows import Rendered
from actors.regime_runner.workloads.sampling import UNAVAILABLE, percentile
from schemas.regime_programs import PROGRAMS
from schemas.regimes import Measured, Reading, TrialResult

SHARE: Final = 0.95
_MARK: Final = "unavailable: "


def parse(rendered: Rendered, result: TrialResult) -> Measured:
    """What the trial measured."""
    try:
        if reason := _failure(result):
            return _nothing(rendered, reason)
        output = _read(rendered, result.stdout)
        _check(output, rendered)
    except OutputRefusedError as error:
        return _nothing(rendered, f"{rendered.program}: {error}")
    source = f"{rendered.program}, {len(output.samples_ms)} samples"
    return Measured(
        readings={
            "perf": Reading(value=output.perf, unit=rendered.unit, source=source, reason=None),
            "p95_ms": Reading(value=percentile(output.samples_ms, SHARE), unit="ms", source=source, reason=None),
            "errors": Reading(value=float(output.errors), unit="errors", source=rendered.program, reason=None),
        },
        samples=output.samples_ms,
        quality=output.figures,
    )


def unavailable_in(result: TrialResult) -> str | None:
    """What the workload found absent, None where it ran or failed otherwise."""
    if result.exit_code != UNAVAILABLE:
        return None
    told = [line for line in result.stderr_tail.splitlines() if line.startswith(_MARK)]
    return told[-1].removeprefix(_MARK) if told else "the workload says that something is absent, but not what"


def _failure(result: TrialResult) -> str | None:
    """Why the trial did not end well."""
    if result.status == "done" and result.exit_code == 0:
        return None
    lines = result.stderr_tail.strip().splitlines()
    last = f": {lines[-1][-200:]}" if lines else ""
    return f"the trial ended as {result.status} with exit status {result.exit_code}{last}"


def _read(rendered: Rendered, text: str) -> Output:
    if PROGRAMS[rendered.program].is_kernel:
        return kernel.read(text)
    match rendered.program:
        case "fio":
            return fio.read(text, rendered.unit)
        case "cyclictest":
            return cyclictest.read(text, math.ceil(rendered.seconds))
        case _:
            raise OutputRefusedError("no parser reads its output")


def _check(output: Output, rendered: Rendered) -> None:
    """Refuse what is no measurement, whatever printed it."""
    numbers = (output.perf, *output.samples_ms, *output.figures.values())
    if not all(math.isfinite(number) for number in numbers):
        raise OutputRefusedError("a number is not finite")
    if output.unit != rendered.unit:
        raise OutputRefusedError(f"it measures {output.unit}, the regime says {rendered.unit}")
    if not output.samples_ms or output.perf <= 0 or min(output.samples_ms) < 0:
        raise OutputRefusedError("there is no work in its output: no samples, no rate, or a time below 0")
    if output.errors < 0:
        raise OutputRefusedError(f"{output.errors} errors is no count")


def _nothing(rendered: Rendered, reason: str) -> Measured:
    return Measured(
        readings={
            "perf": Reading(value=None, unit=rendered.unit, source=None, reason=reason),
            "p95_ms": Reading(value=None, unit="ms", source=None, reason=reason),
            "errors": Reading(value=1.0, unit="errors", source=reason, reason=None),
        },
        samples=(),
        quality={},
    )
