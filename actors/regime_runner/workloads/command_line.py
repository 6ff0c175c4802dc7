"""The command line of a kernel, made from the table of programs, so that what a regime may say is what a kernel hears.

In: the name of a kernel and its arguments. Out: the values, by name. Refused, with exit status 2: unknown options,
options that are missing, values that the table does not allow.
"""

import argparse
from collections.abc import Sequence

from schemas.regime_programs import PROGRAMS, Option


class Options:
    """The values of a command line."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """A word or a path."""
        return self._values[name]

    def whole(self, name: str) -> int:
        """A whole number."""
        return int(self._values[name])

    def number(self, name: str) -> float:
        """A number."""
        return float(self._values[name])

    def is_on(self, name: str) -> bool:
        """Whether a switch is `on`."""
        return self._values[name] == "on"


def read(kernel: str, arguments: Sequence[str] | None = None) -> Options:
    """The options of `kernel` in `arguments`, those of this process when None."""
    parser = argparse.ArgumentParser(prog=kernel, allow_abbrev=False)
    for name, option in PROGRAMS[kernel].options.items():
        parser.add_argument(f"--{name}", dest=name, required=option.default is None, default=option.default)
    values: dict[str, str] = vars(parser.parse_args(arguments))
    for name, text in values.items():
        option = PROGRAMS[kernel].options[name]
        if not _is_allowed(option, text):
            parser.error(f"--{name}={text}: {option.allowed()} is allowed")
    return Options(values)


def _is_allowed(option: Option, text: str) -> bool:
    """Whether the value fits; the guard has already put a folder in the place of `{scratch}`."""
    return text.startswith("/") if option.kind == "scratch" else option.takes(text)
