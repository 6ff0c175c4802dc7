"""`supervisor record`: which runs are recorded, whether they are whole, and what becomes of them."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor.home import Home
from supervisor.options import Number, configured, home_option, json_option

if TYPE_CHECKING:
    from supervisor.configuration import Sources

run_argument = click.argument("run", default="latest", metavar="[RUN]")
one_run = click.argument("run", metavar="RUN")


@click.group()
def command() -> None:
    """Show, check, keep, prune and export recorded runs.

    RUN is a run id, a unique beginning of one, its ordinal, or `latest`.

    \b
    Examples:
      supervisor record list
      supervisor record verify latest
    """


@command.command("list")
@home_option
@json_option
def list_(home: Home, as_json: bool) -> None:
    """Show the recorded runs, oldest first.

    \b
    Example:
      supervisor record list
    """
    from supervisor.recorded.record_text import draw_recordings
    from supervisor.recorded.recordings import list_recordings

    found = list_recordings(home)
    click.echo(found.model_dump_json(indent=2) if as_json else draw_recordings(found))


@command.command()
@run_argument
@home_option
@json_option
def info(run: str, home: Home, as_json: bool) -> None:
    """Show a recorded run in detail: actors, process starts, messages by kind and receiver, refusals.

    \b
    Examples:
      supervisor record info
      supervisor record info 20261120T08 --json | jq '.actors[].by_kind'
    """
    from supervisor.recorded.inspecting import inspect_run
    from supervisor.recorded.progress import shown_progress
    from supervisor.recorded.record_text import draw_details
    from supervisor.recorded.recordings import open_recording
    from supervisor.runs import resolve_run

    found = resolve_run(home, run)
    with shown_progress(open_recording(found).size_bytes(), "reading") as watch:
        details = inspect_run(found, watch)
    click.echo(details.model_dump_json(indent=2) if as_json else draw_details(details))


@command.command()
@run_argument
@click.option("--deep", is_flag=True, help="Decode every message as well, and hash every tensor.")
@home_option
@json_option
@click.pass_context
def verify(context: click.Context, /, run: str, deep: bool, home: Home, as_json: bool) -> None:
    """Check every byte of a recorded run, and say where it is damaged.

    Heads, checksums, closing frames, the numbers of steps and messages, the streams between actors, payloads that are
    named. Exit code 0: whole; 3: damaged, with segment and offset; 1: cannot be read. An unfinished write at the end
    of a journal, which a killed process leaves, is shown and is no damage.

    \b
    Examples:
      supervisor record verify
      supervisor record verify latest --deep --json
    """
    from bus.verification import verify as verify_recording
    from supervisor.recorded.content import ContentCheck
    from supervisor.recorded.progress import shown_progress
    from supervisor.recorded.record_text import draw_verification
    from supervisor.recorded.recordings import is_live, open_recording
    from supervisor.recorded.verdicts import verdict_code, verdict_tree
    from supervisor.runs import resolve_run

    found = resolve_run(home, run)
    recording = open_recording(found)
    with shown_progress(recording.size_bytes(), "checking") as watch:
        recording.watch = watch
        check = ContentCheck(recording) if deep else None
        verification = verify_recording(recording, check, is_live=is_live(found))
    tree = verdict_tree(found.run_id, verification)
    click.echo(json.dumps(tree, indent=2) if as_json else draw_verification(found.run_id, verification))
    context.exit(verdict_code(verification))


@command.command()
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option(
    "--older-than",
    type=Number(min=0.0),
    metavar="DAYS",
    help="Days since a run was closed.  [default: journal.keep_days]",
)
@click.option("--abandon", is_flag=True, help="Delete old runs also when damaged, or with messages nobody took.")
@json_option
@configured
@click.pass_context
def prune(
    context: click.Context, /, dry_run: bool, older_than: float | None, abandon: bool, as_json: bool, sources: "Sources"
) -> None:
    """Delete the journals of old runs.

    A run is deleted when it was closed long enough ago, is not pinned, is whole, and every message was taken. Its
    manifest stays, with a note. Exit code 1 when something could not be deleted.

    \b
    Examples:
      supervisor record prune --dry-run
      supervisor record prune --older-than 30
    """
    from supervisor.configuration import load_configuration
    from supervisor.recorded.progress import shown_progress
    from supervisor.recorded.record_text import draw_pruning
    from supervisor.recorded.retention import Retention, prunable_bytes
    from supervisor.recorded.retention import prune as prune_runs

    days = load_configuration(sources).settings.journal.keep_days if older_than is None else older_than
    retention = Retention(days, time.time(), is_dry_run=dry_run, is_abandoning=abandon)
    with shown_progress(prunable_bytes(sources.home, retention), "checking") as watch:
        report = prune_runs(sources.home, retention, watch)
    tree = {**report.model_dump(), "freed_bytes": report.freed_bytes}
    click.echo(json.dumps(tree, indent=2) if as_json else draw_pruning(report))
    context.exit(1 if any(line.action == "failed" for line in report.runs) else 0)


@command.command()
@one_run
@click.option("--note", default="", metavar="TEXT", help="Why it is kept.")
@home_option
def pin(run: str, note: str, home: Home) -> None:
    """Keep a recorded run for good: `prune` passes it over.

    \b
    Example:
      supervisor record pin latest --note "the run of the paper"
    """
    from supervisor.recorded.retention import pin as pin_run
    from supervisor.runs import resolve_run

    found = resolve_run(home, run)
    pin_run(found, note, time.time())
    click.echo(f"pinned {found.run_id}")


@command.command()
@one_run
@home_option
def unpin(run: str, home: Home) -> None:
    """Let a pinned run be pruned again.

    \b
    Example:
      supervisor record unpin 0001
    """
    from supervisor.recorded.retention import unpin as unpin_run
    from supervisor.runs import resolve_run

    found = resolve_run(home, run)
    click.echo(f"unpinned {found.run_id}" if unpin_run(found) else f"{found.run_id} was not pinned")


@command.command()
@one_run
@click.option("--format", "form", type=click.Choice(("mcap", "jsonl")), required=True, help="What to write.")
@click.option("--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Where to.")
@click.option("--payloads", is_flag=True, help="With jsonl: tensors as base64, not only their hash and size.")
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@home_option
@json_option
@click.pass_context
def export(  # noqa: PLR0913 - the options of the command
    context: click.Context,
    /,
    *,
    run: str,
    form: str,
    output: Path,
    payloads: bool,
    force: bool,
    home: Home,
    as_json: bool,
) -> None:
    """Write the messages of a recorded run into a file for other tools.

    mcap: one channel for each actor and kind of message, msgpack with JSON Schema, for everything that reads MCAP.
    jsonl: one JSON object a message. Exit code 3 when parts of the recording could not be read.

    \b
    Examples:
      supervisor record export latest --format mcap --output run.mcap
      supervisor record export 0001 --format jsonl --output run.jsonl
    """
    from supervisor.errors import UsageError
    from supervisor.recorded.exporting import ExportRequest, export_run, json_lines_sink, mcap_sink
    from supervisor.recorded.progress import shown_progress
    from supervisor.recorded.record_text import draw_export
    from supervisor.recorded.recordings import open_recording
    from supervisor.runs import resolve_run

    if payloads and form == "mcap":
        raise UsageError("--payloads belongs to --format jsonl; an MCAP file always holds them")
    found = resolve_run(home, run)
    sink = mcap_sink(found) if form == "mcap" else json_lines_sink(has_payloads=payloads)
    with shown_progress(open_recording(found).size_bytes(), "exporting") as watch:
        exported = export_run(ExportRequest(found, form, output, force), sink, watch)
    click.echo(exported.model_dump_json(indent=2) if as_json else draw_export(exported))
    context.exit(3 if exported.lost else 0)
