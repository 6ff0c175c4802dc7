"""Reads the line of our own kernels (`workloads.sampling.tell`).

In: their output. Out: rate, samples, errors, figures. Refused: a line with other keys, samples that are no numbers.
"""

from actors.regime_runner.parsers.output import Output, OutputRefusedError, member, number, object_in


def read(text: str) -> Output:
    """What a kernel measured; raises OutputRefusedError."""
    line = object_in(text)
    samples, figures, unit = member(line, "samples_ms"), member(line, "figures"), member(line, "unit")
    if not isinstance(samples, list) or not isinstance(figures, dict) or not isinstance(unit, str):
        raise OutputRefusedError("samples_ms, figures or unit is of another type")
    return Output(
        perf=number(line, "perf"),
        unit=unit,
        samples_ms=tuple(number({"samples_ms": sample}, "samples_ms") for sample in samples),
        errors=round(number(line, "errors")),
        figures={str(name): number(figures, name) for name in figures},
    )
