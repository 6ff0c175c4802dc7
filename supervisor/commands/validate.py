"""`supervisor validate`: everything that is wrong with the configuration, the pictures and the facts, at once."""

import json
from dataclasses import dataclass

import click

from schemas.errors import SettingsError
from supervisor.configuration import Sources, load_configuration
from supervisor.errors import FolderRefusedError, InputsRefusedError
from supervisor.home import Home
from supervisor.inputs import prepare_inputs
from supervisor.log_lines import printable
from supervisor.options import json_option, with_inputs


@dataclass(frozen=True)
class Verdict:
    """What was found."""

    problems: tuple[str, ...] = ()
    """Reasons why nothing could start."""
    left_out: tuple[str, ...] = ()
    """The first pictures and facts that would be left out, and how many more there are."""
    pictures_left_out: int = 0
    facts_left_out: int = 0
    warnings: tuple[str, ...] = ()
    sha256: str | None = None
    pictures: int = 0
    factoids: int = 0


@click.command()
@json_option
@with_inputs
def command(sources: Sources, as_json: bool) -> None:
    """Check the configuration, the pictures and the facts, and name every mistake.

    Nothing is started and nothing is written. Exit code 0: a run could start; 1: it could not.

    \b
    Example:
      supervisor validate --images ~/pictures --set bias.chroma_bins=12
    """
    verdict = _judge(sources)
    click.echo(_as_json(verdict) if as_json else _as_text(verdict))
    if verdict.problems:
        raise click.exceptions.Exit(1)


def _judge(sources: Sources) -> Verdict:
    of_home = _problems_of(sources.home)
    try:
        configuration = load_configuration(sources)
    except SettingsError as error:
        return Verdict(problems=(*of_home, *error.problems))
    if of_home:
        return Verdict(problems=of_home, sha256=configuration.sha256)
    try:
        prepared = prepare_inputs(configuration.settings.run)
    except InputsRefusedError as error:
        return Verdict(problems=(error.summary,), left_out=error.problems, sha256=configuration.sha256)
    return Verdict(
        left_out=prepared.left_out.lines(),
        warnings=prepared.warnings,
        pictures_left_out=len(prepared.left_out.pictures),
        facts_left_out=len(prepared.left_out.facts),
        sha256=configuration.sha256,
        pictures=len(prepared.inputs.pictures),
        factoids=len(prepared.inputs.factoids),
    )


def _problems_of(home: Home) -> tuple[str, ...]:
    try:
        home.check_length()
    except FolderRefusedError as error:
        return (str(error),)
    return ()


def _as_json(verdict: Verdict) -> str:
    content = {
        "ok": not verdict.problems,
        "problems": verdict.problems,
        "warnings": (*verdict.left_out, *verdict.warnings),
        "pictures_left_out": verdict.pictures_left_out,
        "facts_left_out": verdict.facts_left_out,
        "sha256": verdict.sha256,
        "pictures": verdict.pictures,
        "factoids": verdict.factoids,
    }
    return json.dumps(content, indent=2)


def _as_text(verdict: Verdict) -> str:
    lines = [f"error: {problem}" for problem in verdict.problems]
    lines += [f"left out: {refused}" for refused in verdict.left_out]
    lines += [f"warning: {warning}" for warning in verdict.warnings]
    if verdict.problems:
        count = "1 problem" if len(verdict.problems) == 1 else f"{len(verdict.problems)} problems"
        lines.append(f"{count}; nothing can start")
    else:
        lines.append(f"valid: {verdict.pictures} pictures, {verdict.factoids} facts, configuration {verdict.sha256}")
    return "\n".join(printable(line) for line in lines)
