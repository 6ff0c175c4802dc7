"""Text is finished, and what the README says can be done (style, rules 11 and 15)."""

import re
import shlex
from pathlib import Path

import click
import pytest

from bus.diagram import draw
from supervisor.cli import cli

ROOT = Path(__file__).parents[2]
FOLDERS = ("actors", "bus", "schemas", "supervisor", "config", "tests")
FILES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".toml", ".md", ".txt", ".yaml"} and path != Path(__file__)
) + [ROOT / name for name in ("README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", ".ci/run")]
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|TBD|WIP)\b|lorem ipsum", re.IGNORECASE)
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """The command lines in the shell blocks of the README, without comments."""
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", README, re.DOTALL)
    lines = [
        shlex.split(line.removeprefix(".venv/bin/"), comments=True) for block in blocks for line in block.splitlines()
    ]
    return [line for line in lines if line]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_left_unfinished(path):
    assert UNFINISHED.findall(path.read_text(encoding="utf-8")) == []


def test_the_picture_in_the_readme_is_drawn_from_the_topology():
    block = re.search(r"<!-- topology:begin -->\n(.*?)<!-- topology:end -->", README, re.DOTALL)

    assert block is not None
    assert block.group(1) == f"```mermaid\n{draw('mermaid')}```\n", "run: supervisor graph --format mermaid"


def test_the_readme_begins_with_make_up():
    assert commands()[0] == ["make", "up"]


@pytest.mark.parametrize("line", [line for line in commands() if line[0] == "make"], ids=" ".join)
def test_every_make_target_of_the_readme_exists(line):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    assert {word for word in line[1:] if "=" not in word} <= targets


@pytest.mark.parametrize("line", [line for line in commands() if line[0] == "supervisor"], ids=" ".join)
def test_every_supervisor_command_of_the_readme_can_be_parsed(line):
    context = click.Context(cli, info_name="supervisor")
    command: click.Command = cli
    arguments = line[1:]
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        found = command.get_command(context, arguments.pop(0))
        assert found is not None, line
        command = found

    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}

    assert {word.split("=")[0] for word in arguments if word.startswith("-")} <= known


@pytest.mark.parametrize("folder", ["actors", "bus", "schemas", "supervisor", "config", "tests"])
def test_the_layout_is_the_one_of_the_design(folder):
    assert (ROOT / folder).is_dir()


def test_config_holds_no_python():
    assert list((ROOT / "config").rglob("*.py")) == []
