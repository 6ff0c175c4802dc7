"""`supervisor pool`: the dreams of the pool, seen, checked, kept, copied out and in."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from supervisor.home import Home
from supervisor.options import Number, home_option, json_option

if TYPE_CHECKING:
    from actors.pool_keeper.reading import DreamFilter, Order, PoolReader
    from supervisor.pool.exporting import Form

SOURCES = ("factoid", "image", "pool", "random")
dream_argument = click.argument("dream", metavar="ID")


def with_filter(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options that choose dreams; the values are the fields of a DreamFilter."""
    options = (
        click.option("--source", type=click.Choice(SOURCES), help="Seeded from this kind of source."),
        click.option("--bin", type=click.IntRange(min=0), metavar="N", help="In this hue bin; the last is grey."),
        click.option("--min-coherence", type=Number(0.0, 1.0), metavar="X", help="At least this coherent."),
        click.option("--helpful", "is_helpful", is_flag=True, help="With a mean utility above 0."),
        click.option("--pinned", "is_pinned", is_flag=True, help="Pinned."),
        click.option("--run", "run_id", metavar="RUN", help="Dreamt in this run: its id, a beginning, or `latest`."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def command() -> None:
    """Show, check, keep, export and import the dreams of the pool.

    Reading works while the loop runs, and disturbs nobody. What changes the pool is said to the pool-keeper, which
    alone writes it; where nothing runs, one is started for that.

    \b
    Examples:
      supervisor pool list --helpful
      supervisor pool verify
    """


@command.command(name="list")
@with_filter
@click.option(
    "--order", type=click.Choice(("newest", "coherence", "utility")), default="newest", help="What comes first."
)
@click.option("--page", type=click.IntRange(min=1), default=1, metavar="N", help="Page to show.  [default: 1]")
@click.option("--size", type=click.IntRange(1, 10_000), default=20, metavar="N", help="Dreams a page.  [default: 20]")
@home_option
@json_option
def list_(order: "Order", page: int, size: int, home: Home, as_json: bool, **wanted: Any) -> None:
    """List dreams, a page at a time.

    \b
    Examples:
      supervisor pool list --source pool --min-coherence 0.7
      supervisor pool list --helpful --order utility --json | jq -r '.dreams[].id'
    """
    from supervisor.pool.looking import list_page
    from supervisor.pool.pool_text import draw_page

    with _open(home) as reader:
        found = list_page(reader, _filter(home, wanted), order, page, size)
    click.echo(found.model_dump_json(indent=2) if as_json else "\n".join(draw_page(found)))


@command.command()
@dream_argument
@click.option("--png", type=click.Path(path_type=Path), metavar="FILE", help="Draw its layers, side by side.")
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@home_option
@json_option
def show(dream: str, png: Path | None, force: bool, home: Home, as_json: bool) -> None:
    """Show all that is known of a dream.

    ID is its id, a unique beginning of it, or its number in the pool. Exit code 1 when its tensor is damaged and a
    picture was asked for.

    \b
    Examples:
      supervisor pool show 1f3a
      supervisor pool show 42 --png dream.png
    """
    from supervisor.pool.looking import show_dream
    from supervisor.pool.pool_text import draw_details

    with _open(home) as reader:
        details = show_dream(reader, dream, _chroma_bins(home))
        if png is not None:
            _draw(reader, details.dream.sequence, png, is_forced=force)
    click.echo(details.model_dump_json(indent=2) if as_json else "\n".join(draw_details(details)))


@command.command()
@dream_argument
@home_option
@json_option
def lineage(dream: str, home: Home, as_json: bool) -> None:
    """Show what a dream came from, and what came from it.

    \b
    Example:
      supervisor pool lineage 1f3a --json | jq '.ancestors[].id'
    """
    from supervisor.pool.looking import trace_lineage
    from supervisor.pool.pool_text import draw_lineage

    with _open(home) as reader:
        found = trace_lineage(reader, dream, _chroma_bins(home))
    click.echo(found.model_dump_json(indent=2) if as_json else "\n".join(draw_lineage(found)))


@command.command()
@home_option
@json_option
def stats(home: Home, as_json: bool) -> None:
    """Show the pool in figures.

    \b
    Example:
      supervisor pool stats --json | jq .by_source
    """
    from supervisor.pool.looking import count_pool
    from supervisor.pool.pool_text import draw_figures

    with _open(home) as reader:
        found = count_pool(reader, _chroma_bins(home))
    click.echo(found.model_dump_json(indent=2) if as_json else "\n".join(draw_figures(found)))


@command.command()
@home_option
@json_option
@click.pass_context
def verify(context: click.Context, /, home: Home, as_json: bool) -> None:
    """Hash every tensor anew, and check the file.

    Exit code 1 when something is damaged; each damaged dream is named.

    \b
    Example:
      supervisor pool verify --json | jq '.damaged[].id'
    """
    from supervisor.pool.pool_text import draw_verification
    from supervisor.pool.verifying import verify_pool
    from supervisor.recorded.progress import shown_progress

    with _open(home) as reader, shown_progress(reader.count(), "hashing") as watch:
        found = verify_pool(reader, watch)
    tree = {**found.model_dump(), "is_whole": found.is_whole}
    click.echo(json.dumps(tree, indent=2) if as_json else "\n".join(draw_verification(found)))
    context.exit(0 if found.is_whole else 1)


@command.command()
@click.option(
    "--format", "form", type=click.Choice(("npz", "jsonl", "csv", "parquet")), required=True, help="What to write."
)
@click.option("--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Where to.")
@click.option("--tensors", is_flag=True, help="With the tensors; an import needs them. Always so with npz.")
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@with_filter
@home_option
@json_option
@click.pass_context
def export(  # noqa: PLR0913 - the options of the command
    context: click.Context,
    /,
    *,
    form: "Form",
    output: Path,
    tensors: bool,
    force: bool,
    home: Home,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Copy dreams into a file for other tools.

    npz is read by numpy.load, jsonl and csv by anything, parquet needs the extra `parquet`. Each tensor is verified
    first; exit code 1 when one is damaged and was left out.

    \b
    Examples:
      supervisor pool export --format npz --output dreams.npz --helpful
      supervisor pool export --format csv --output dreams.csv
    """
    from supervisor.pool.exporting import PoolExport, export_pool
    from supervisor.pool.pool_text import draw_export
    from supervisor.recorded.progress import shown_progress

    with _open(home) as reader, shown_progress(reader.count(), "exporting") as watch:
        asked = PoolExport(form, output, _filter(home, wanted), tensors or form == "npz", force)
        exported = export_pool(reader, asked, watch)
    click.echo(exported.model_dump_json(indent=2) if as_json else "\n".join(draw_export(exported)))
    context.exit(1 if exported.damaged else 0)


@command.command(name="import")
@click.argument("source", type=click.Path(path_type=Path))
@home_option
@json_option
@click.pass_context
def import_(context: click.Context, /, source: Path, home: Home, as_json: bool) -> None:
    """Take in the dreams of another home, or of an export with tensors.

    SOURCE is a home folder, or a file of `pool export` (npz; jsonl or parquet with --tensors). A tensor that the pool
    holds is not taken in twice. All of it is taken in, or, when the command is interrupted, nothing. Exit code 1 when
    a dream was left out because its tensor is damaged.

    \b
    Examples:
      supervisor pool import ~/other-home
      supervisor pool import dreams.npz --json | jq .imported
    """
    from supervisor.pool.delivering import deliver
    from supervisor.pool.importing import Import, PoolImported, count_stored
    from supervisor.pool.pool_text import draw_import
    from supervisor.pool.sources import opened_source
    from supervisor.recorded.progress import shown_progress

    with _asking(home), opened_source(source) as found, shown_progress(len(found.dreams), "importing") as watch:
        work = Import(found)
        delivered = deliver(home, lambda: work.orders(home), "dreams were imported", watch)
        stored = count_stored(home, work.adopted)
    imported = PoolImported(
        source=str(source),
        run_id=None if delivered is None else delivered.run_id,
        found=len(found.dreams),
        imported=stored,
        duplicates=work.duplicates,
        renamed=work.renamed,
        refused=len(work.adopted) - stored,
        damaged=tuple(work.damaged),
    )
    click.echo(imported.model_dump_json(indent=2) if as_json else "\n".join(draw_import(imported)))
    context.exit(1 if imported.damaged or imported.refused else 0)


@command.command()
@click.argument("dreams", metavar="ID...", nargs=-1, required=True)
@home_option
def pin(dreams: tuple[str, ...], home: Home) -> None:
    """Keep dreams from ever being evicted.

    \b
    Example:
      supervisor pool pin 1f3a 42
    """
    _pin(home, dreams, is_pinned=True)


@command.command()
@click.argument("dreams", metavar="ID...", nargs=-1, required=True)
@home_option
def unpin(dreams: tuple[str, ...], home: Home) -> None:
    """Let pinned dreams be evicted again.

    \b
    Example:
      supervisor pool unpin 42
    """
    _pin(home, dreams, is_pinned=False)


def _pin(home: Home, dreams: tuple[str, ...], *, is_pinned: bool) -> None:
    from schemas.pool import PinDreams
    from supervisor.pool.delivering import deliver

    found: list[str] = []

    def orders() -> "Iterator[PinDreams]":
        with _open(home) as reader:
            found.extend(dict.fromkeys(reader.find(text).id for text in dreams))
            chosen = tuple(dream_id for dream_id in found if (dream_id in reader.pinned) is not is_pinned)
        if chosen:
            yield PinDreams(dream_ids=chosen, is_pinned=is_pinned)

    with _open(home):
        pass  # a home without a pool is refused before anything is made in it
    deliver(home, orders, "dreams were pinned" if is_pinned else "dreams were unpinned")
    for dream_id in found:
        click.echo(f"{'pinned' if is_pinned else 'unpinned'} {dream_id}")


@contextmanager
def _open(home: Home) -> "Iterator[PoolReader]":
    """The pool of `home`, for reading."""
    from actors.pool_keeper.reading import PoolReader

    with _asking(home), PoolReader(home.root) as reader:
        yield reader


@contextmanager
def _asking(home: Home) -> "Iterator[None]":
    """What is asked of a pool and is not there is a mistake of the user's."""
    from actors.pool_keeper.reading import DreamUnknownError, PoolMissingError
    from supervisor.advice import advise
    from supervisor.errors import UsageError

    home.check_length()
    try:
        yield
    except PoolMissingError as error:
        raise UsageError(f"{error}; {advise('up', home.root)} makes it") from error
    except DreamUnknownError as error:
        raise UsageError(f"{error}; {advise('pool list', home.root)} shows the dreams") from error


def _filter(home: Home, wanted: dict[str, Any]) -> "DreamFilter":
    from actors.pool_keeper.reading import DreamFilter
    from supervisor.runs import resolve_run

    run_id = wanted.pop("run_id")
    run = None if run_id is None else resolve_run(home, run_id).run_id
    return DreamFilter(**wanted, run_id=run, chroma_bins=_chroma_bins(home))


def _chroma_bins(home: Home) -> int:
    """The hue bins that the settings of this home have now."""
    from supervisor.configuration import Sources, load_configuration

    return load_configuration(Sources(home, None, (), ())).settings.bias.chroma_bins


def _draw(reader: "PoolReader", sequence: int, png: Path, *, is_forced: bool) -> None:
    from schemas.tensor import decode
    from supervisor.pool.drawing import draw_png
    from supervisor.recorded.exporting import new_file

    facts = reader.facts(sequence)
    tensor = decode(bytes(reader.tensor(sequence).blob), facts.shape, facts.tensor_sha256)
    with new_file(png, is_forced=is_forced) as file:
        file.write(draw_png(tensor))
