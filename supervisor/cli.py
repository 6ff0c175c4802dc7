"""The command `supervisor`: sub-commands that are imported when they are used, and the one place where errors become
exit codes.

In: the command line. Out: text or JSON, and an exit code: 0 ok, 1 finding, 2 usage, 3 not running, given up or damaged,
130 interrupted; `replay` has codes of its own. A user's mistake is answered by a message, never by a traceback.
"""

import importlib
import io
import os
import sys
from collections.abc import Mapping
from typing import Final

import click

from schemas.errors import OneirosError, SettingsError

COMMANDS: Final[Mapping[str, str]] = {
    "up": "Start the loop and show what it does, until Ctrl-C.",
    "down": "Stop the running loop in order, and wait until nothing of it is left.",
    "status": "Show the processes of the running loop.",
    "stats": "Show the loop in figures: pool, learner, bias, dreamer.",
    "pool": "Show, check, keep, export and import the dreams of the pool.",
    "kpi": "Show the figures of every epoch, and whether the logs give them again.",
    "logs": "Show what the processes logged, merged by time.",
    "attach": "Give a learner, or a field, of your own a seat in the running loop.",
    "init": "Write a working beginning for a learner of your own.",
    "restart": "Start one actor afresh while the others run.",
    "record": "Show, check, keep, prune and export recorded runs.",
    "replay": "Prove that each actor of RUN decides the same again, byte for byte.",
    "audit": "Prove that every input of every actor of RUN was allowed, and show who heard what from whom.",
    "topic": "Show what the actors say to each other: kinds, messages, rates.",
    "trace": "Show what led to a message and what it led to, across all actors.",
    "simulate": "Live through hours of faults in seconds, and check that nothing is lost, doubled or out of order.",
    "talk": "Talk to the field that lives in the running loop.",
    "friend": "Show what the imaginary friend says when nobody listens, why, and what becomes of it.",
    "nightly": "Look back on a day, seal what is dreamt of it, and check that it holds.",
    "regimes": "Measure what this machine does in four regimes, and search for settings that do it better.",
    "train": "Train a model so that the run can be proved again, bit for bit.",
    "experiment": "Ask whether the hint reaches the dreams, and whether the dreams help the learner.",
    "config": "Show the configuration.",
    "validate": "Check the configuration, the pictures and the facts, and name every mistake.",
    "graph": "Draw who may say what to whom.",
    "doctor": "Check this machine and this home, and say what is wrong.",
}
"""Name and summary: `--help` imports no command."""

EXIT_FINDING: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130


class LazyGroup(click.Group):
    """Commands by name, each imported from `supervisor.commands` when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """The command called `cmd_name`, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"supervisor.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """The list in `--help`, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(context: click.Context, _parameter: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"oneiros {version('oneiros')}")
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def cli() -> None:
    """A learning loop of separate processes: a dreamer dreams, a pool keeps, a learner learns, a bias hints.

    \b
    Start:   supervisor up
    Look:    supervisor status; supervisor stats; supervisor logs -f
    Stop:    Ctrl-C, or supervisor down
    """


def main() -> None:
    """Run the command line and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the encoding lacks is escaped, and ends no run
    sys.exit(run_cli(sys.argv[1:]))


def run_cli(arguments: list[str]) -> int:
    """Run `arguments`; the exit code."""
    try:
        code = cli.main(arguments, prog_name="supervisor", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OneirosError, OSError) as error:
        _complain(error)
        return exit_code_of(error)


def exit_code_of(error: Exception) -> int:
    """What the command ends with after `error`."""
    if isinstance(error, SettingsError):
        return EXIT_USAGE
    code = getattr(error, "exit_code", EXIT_FINDING)
    return code if isinstance(code, int) else EXIT_FINDING


def _complain(error: Exception) -> None:
    text = f"{error.filename or 'system'}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
    from supervisor.log_lines import printable

    for line in map(printable, text.splitlines()):
        click.echo(line if line.startswith(" ") else f"error: {line}", err=True)


if __name__ == "__main__":
    main()
