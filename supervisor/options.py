"""Options that several commands share, defined once.

`configured` gives a command `--home`, `--config` and `--set`; `with_inputs` adds `--images`, `--factoids` and `--seed`.
A command decorated so receives one argument `sources: Sources` for all of them. `home_option` and `json_option` give a
command that needs no configuration its `home: Home` and `as_json: bool`.
"""

import math
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from supervisor.advice import default_home
from supervisor.home import Home

Command = Callable[..., Any]

INPUT_FLAGS = ("images", "factoids", "seed")
"""Flags of `with_inputs`; each is a key of [run]."""
IMAGES_HELP = (
    "Folder of pictures to dream of: PNG, JPEG, or another raster format that Pillow opens (WebP, TIFF, BMP, GIF, ...)."
)


class Folder(click.Path):
    """A folder; the empty text that an unset variable leaves on the command line is refused."""

    def __init__(self, is_file_refused: bool) -> None:
        super().__init__(path_type=Path, file_okay=not is_file_refused, readable=False)  # who opens it tells more

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if str(value) == "":
            self.fail("'' names no folder; is an unset variable meant?", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A number within a range; what is not finite is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number


def _home(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> Home:
    home = Home((value or default_home()).expanduser().absolute())
    home.check_is_visible()
    return home


home_option = click.option(
    "--home",
    type=Folder(is_file_refused=True),
    callback=_home,
    metavar="DIR",
    help="State folder.  [default: oneiros/ in the XDG state folder]",
)
"""`--home DIR`: the command's argument `home` is a Home."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
"""`--json`: the command's argument `as_json`."""


def configured(command: Command) -> Command:
    """Give `command` the options --home, --config and --set, as one argument `sources: Sources`."""

    @wraps(command)
    def gathered(**arguments: Any) -> Any:
        from supervisor.configuration import Sources
        from supervisor.layers import Stated

        given = {name: arguments.pop(name) for name in INPUT_FLAGS if name in arguments}
        flags = tuple(Stated(f"run.{name}", value, f"--{name}") for name, value in given.items() if value is not None)
        sources = Sources(arguments.pop("home"), arguments.pop("config"), arguments.pop("assignments"), flags)
        return command(sources=sources, **arguments)

    config = click.option(
        "--config",
        type=Folder(is_file_refused=False),  # a file is refused with every other mistake of the settings
        metavar="DIR",
        help="Folder of an engine.toml to use instead of HOME/config.",
    )
    assignments = click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help="Change one setting; may be repeated.",
    )
    return home_option(config(assignments(gathered)))


def with_inputs(command: Command) -> Command:
    """Give `command` the options of `configured` and --images, --factoids and --seed; all land in `sources`."""
    images = click.option("--images", metavar="DIR", help=IMAGES_HELP)
    factoids = click.option("--factoids", metavar="FILE", help="Text file of facts to dream of, one a line.")
    seed = click.option("--seed", type=int, metavar="N", help="Master seed: every draw derives from it.")
    return images(factoids(seed(configured(command))))
