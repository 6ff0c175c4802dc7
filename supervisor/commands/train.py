"""`supervisor train`: runs of a trainer that can be proved again, bit for bit."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from supervisor.options import home_option, json_option

if TYPE_CHECKING:
    from supervisor.home import Home

MOST_SEEDS = 1000
DEFAULT = "run"
run_argument = click.argument("run", metavar="RUN")


class TrainGroup(click.Group):
    """A group whose first word may be left out: `train CONFIG` is `train run CONFIG`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the word there where it was left out."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; any other word is a CONFIG."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, DEFAULT)


@click.group(cls=TrainGroup, subcommand_metavar="CONFIG | COMMAND [ARGS]...")
def command() -> None:
    """Train a model so that the run can be proved again, bit for bit.

    CONFIG is TOML or YAML, or the name of a shipped one: digits, fashion. `train CONFIG` is short for `train run
    CONFIG`. Everything of a run is in HOME/artifacts/training/RUN; RUN is its name, a beginning of it, its number,
    `latest`, or a path.

    \b
    Examples:
      supervisor train digits
      supervisor train replay latest
      supervisor train list --json | jq '.runs[].run_id'
    """


@command.command(name=DEFAULT)
@click.argument("config", type=click.Path(path_type=Path), metavar="CONFIG")
@click.option("--resume", "is_resumed", is_flag=True, help="Go on with the newest run of CONFIG that did not end.")
@click.option(
    "--with-dreams",
    "has_dreams",
    is_flag=True,
    help="Train beside dreams of the running loop, and again without; needs a seat (`supervisor attach`).",
)
@click.option("--seeds", type=click.IntRange(1, MOST_SEEDS), default=1, metavar="N", help="Pairs of runs, with dreams.")
@home_option
@json_option
@click.pass_context
def run(  # noqa: PLR0913 - the options of the command
    context: click.Context,
    /,
    *,
    config: Path,
    is_resumed: bool,
    has_dreams: bool,
    seeds: int,
    home: "Home",
    as_json: bool,
) -> None:
    """Train as CONFIG says. Ctrl-C leaves a checkpoint and partial reports; --resume goes on to the same bits.

    Exit code 0: it reached its end; 1: its numbers stopped it; 2: CONFIG is refused; 130: it was interrupted.

    \b
    Examples:
      supervisor train config/train_digits.toml
      supervisor train config/train_digits.toml --resume
      supervisor attach ann -- supervisor train config/train_digits.toml --with-dreams --seeds 5
    """
    from supervisor.stop_signals import StopSignals
    from supervisor.training.conducting import Company
    from supervisor.training.progress_line import shown_training
    from supervisor.training.starting import Wanted, start

    config = _file_of(config)
    home = _home_of_seat(context, home) if has_dreams else home
    signals = StopSignals(is_detached=False)
    try:
        with shown_training() as tell:
            company = Company(tell=tell, should_stop=lambda: signals.stops > 0)
            started = start(Wanted(config, is_resumed, has_dreams, seeds), home, company)
    finally:
        signals.restore()
    _print(started.tree(), as_json, started.text())
    context.exit(started.exit_code)


@command.command(name="list")
@home_option
@json_option
def list_(home: "Home", as_json: bool) -> None:
    """List the training runs of a home, oldest first.

    \b
    Example:
      supervisor train list --json | jq '.runs[-1].weights_sha256'
    """
    from supervisor.training.listing import draw_runs, list_runs

    rows = list_runs(home)
    _print({"runs": [row.tree() for row in rows]}, as_json, draw_runs(rows))


@command.command()
@run_argument
@home_option
@json_option
@click.pass_context
def verify(context: click.Context, /, *, run: str, home: "Home", as_json: bool) -> None:
    """Check every stored file of RUN against its hash, and name the first step of the log that does not follow.

    Exit code 0: all is whole; 1: something was altered or is missing.

    \b
    Example:
      supervisor train verify latest
    """
    from supervisor.training.run_folder import resolve
    from supervisor.training.verifying import verify as check

    found = check(resolve(home, run))
    _print(found.tree(), as_json, found.text())
    context.exit(found.exit_code)


@command.command()
@run_argument
@click.option(
    "--base", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
    help="Where relative paths of the configuration begin now, if the data has moved.",
)  # fmt: skip
@home_option
@json_option
@click.pass_context
def replay(context: click.Context, /, *, run: str, base: Path | None, home: "Home", as_json: bool) -> None:
    """Train RUN again from its manifest and its data alone, and compare every hash.

    Exit code 0: identical; 3: what is stored was altered, and nothing is run; 4: it diverged, and the first step is
    named; 5: it cannot be repeated here, and what differs is named.

    \b
    Example:
      supervisor train replay latest --json | jq .identical
    """
    from supervisor.recorded.progress import shown_progress
    from supervisor.training.machine import repeat_elsewhere
    from supervisor.training.replaying import replay as repeat
    from supervisor.training.run_folder import resolve
    from supervisor.training.run_manifest import read_manifest

    folder = resolve(home, run)
    manifest = read_manifest(folder)
    words = ["train", "replay", str(folder.path), "--home", str(home.root), *(["--json"] if as_json else [])]
    words += ["--base", str(base)] if base is not None else []
    code = repeat_elsewhere(manifest.run.machine, words)
    if code is not None:
        context.exit(code)
    total = manifest.result.log_rows if manifest.result is not None else 0
    with shown_progress(total, "replay") as advance:
        seen = 0

        def tell(rows: int) -> None:
            nonlocal seen
            advance(rows - seen)
            seen = rows

        found = repeat(folder, tell, base)
    _print(found.tree(), as_json, found.text())
    context.exit(found.exit_code)


@command.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@home_option
@json_option
@click.pass_context
def compare(context: click.Context, /, *, first: str, second: str, home: "Home", as_json: bool) -> None:
    """Show what differs between two runs: settings, hashes, figures, and each class that fares otherwise.

    Exit code 1: runs of the same configuration have other hashes, or a class shifts.

    \b
    Example:
      supervisor train compare 1 2
    """
    from supervisor.training.comparing import compare as set_beside
    from supervisor.training.run_folder import resolve

    found = set_beside(resolve(home, first), resolve(home, second))
    _print(found.tree(), as_json, found.text())
    context.exit(found.exit_code)


@command.command()
@run_argument
@click.option("--html", is_flag=False, flag_value="", metavar="[FILE]", help="Write a page, to FILE or into the run.")
@home_option
@json_option
def report(run: str, html: str | None, home: "Home", as_json: bool) -> None:
    """Show the reports of RUN; with --html as one page, readable offline.

    \b
    Examples:
      supervisor train report latest
      supervisor train report latest --html report.html
    """
    from bus.files import write_atomically
    from supervisor.training.run_folder import resolve
    from supervisor.training.showing import draw_page, show

    folder = resolve(home, run)
    shown = show(folder)
    if html is not None:
        path = Path(html) if html else folder.path / "report.html"
        try:
            write_atomically(path.absolute(), draw_page(shown).encode())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error  # not the name of the file beside it
        click.echo(f"written: {path}", err=True)
    _print(shown.tree(), as_json, shown.text())


@command.command()
@click.option("--as-of", metavar="DATE", help="The day that counts as today, YYYY-MM-DD.  [default: today, UTC]")
@click.option("--dry-run", "is_dry", is_flag=True, help="Name them, and remove nothing.")
@home_option
@json_option
@click.pass_context
def prune(context: click.Context, /, *, as_of: str | None, is_dry: bool, home: "Home", as_json: bool) -> None:
    """Remove runs that are older than their `reports.keep_days` (90); their manifests stay, with what was removed.

    Every `train CONFIG` does this first. Exit code 1: a manifest cannot be read, so its run is kept.

    \b
    Example:
      supervisor train prune --dry-run
    """
    from supervisor.training.retention import prune as take_away

    found = take_away(home, _day(as_of), is_dry)
    verb = "would be removed" if is_dry else "removed"
    lines = [f"{name}: {verb}" for name in found.runs] or ["no run is old enough"]
    _print(found.tree(), as_json, [*lines, *found.faults])
    context.exit(1 if found.faults else 0)


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@json_option
def keygen(file: Path, as_json: bool) -> None:
    """Make an Ed25519 key that signs reports, in FILE for its owner alone; name it in reports.sign_key.

    \b
    Example:
      supervisor train keygen signing.pem
    """
    from actors.learner.trainer.reports.signing import SigningError, make_key
    from supervisor.errors import UsageError

    try:
        public = make_key(file)
    except SigningError as error:
        raise UsageError(str(error)) from error
    _print({"file": str(file), "public_key": public}, as_json, [f"{file}: the private key", f"public key {public}"])


def _file_of(config: Path) -> Path:
    """The file that CONFIG names: itself, or one that is shipped.

    Raises UsageError for one that is not there, which may be a command that was misspelt.
    """
    import difflib

    from supervisor.configuration import default_file
    from supervisor.errors import UsageError

    if config.exists():
        return config
    shipped = {path.stem.removeprefix("train_"): path for path in sorted(default_file().parent.glob("train_*.toml"))}
    if str(config) in shipped:
        return shipped[str(config)]
    near = difflib.get_close_matches(str(config), [*command.commands, *shipped], n=1)
    otherwise = f"name a .toml or .yaml file, or what is shipped: {', '.join(shipped)}"
    hint = f"did you mean `supervisor train {near[0]}`?" if near else otherwise
    raise UsageError(f"{config}: no such file; {hint}")


def _home_of_seat(context: click.Context, home: "Home") -> "Home":
    """The home of the loop in which this process has a seat, where no other was named."""
    import os

    from schemas.guests import SEAT_VARIABLE, SeatOffer
    from supervisor.home import Home

    seat = os.environ.get(SEAT_VARIABLE)
    if seat is None or context.get_parameter_source("home") is not click.core.ParameterSource.DEFAULT:
        return home
    try:
        return Home(Path(SeatOffer.model_validate_json(Path(seat).read_bytes()).home))
    except (OSError, ValueError):
        return home  # taking the seat says what is wrong with it


def _day(text: str | None) -> Any:
    from datetime import date

    from supervisor.errors import UsageError

    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--as-of: {text!r} is no day; write it as 2026-01-31") from None


def _print(tree: Any, as_json: bool, lines: Iterable[str]) -> None:
    from supervisor.log_lines import printable

    text = "\n".join(line if line.isprintable() else printable(line) for line in lines)
    click.echo(json.dumps(tree, indent=2, allow_nan=False) if as_json else text)
