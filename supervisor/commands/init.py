"""`supervisor init`: a working beginning for something of your own."""

from importlib.resources import files
from pathlib import Path

import click

SUFFIX = ".txt"
"""The examples carry it here, so that no tool takes them for modules of ours."""


@click.group()
def command() -> None:
    """Write a working beginning for a learner of your own.

    \b
    Example:
      supervisor init learner mine
    """


@command.command("learner")
@click.argument("path", type=click.Path(path_type=Path, file_okay=False))
def learner(path: Path) -> None:
    """Write a learner that runs, and its test, into the folder PATH.

    Nothing that is there already is written over.

    \b
    Example:
      supervisor init learner mine
      supervisor attach mine -- python mine/learner.py
    """
    import shlex

    from supervisor.errors import FolderRefusedError, UsageError

    texts = {
        each.name.removesuffix(SUFFIX): each.read_text(encoding="utf-8")
        for each in files("supervisor").joinpath("example").iterdir()
        if each.name.endswith(SUFFIX)
    }
    there = [name for name in sorted(texts) if (path / name).exists()]
    if there:
        raise UsageError(f"{path / there[0]} is there already; choose another folder, or remove it")
    try:
        path.mkdir(parents=True, exist_ok=True)
        for name in sorted(texts):
            (path / name).write_text(texts[name], encoding="utf-8")
            click.echo(path / name)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FolderRefusedError(str(path), reason, "choose another folder") from error
    client, folder, file = (shlex.quote(str(each)) for each in (files("bus"), path, path / "learner.py"))
    click.echo(f"\nit needs:  pip install {client}\ntry it:    pytest {folder}")
    click.echo(f"attach it: supervisor attach NAME -- python {file}")
