"""`config show`, `validate` and `graph`: one result, as text or as JSON."""

import json
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from bus.diagram import draw
from supervisor.cli import cli
from supervisor.commands import config, graph, validate
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home
from supervisor.inputs import SAMPLE


@pytest.fixture
def run(tmp_path):
    """Runs a command with a home that does not exist yet."""

    def invoke(command, *arguments: str):
        return CliRunner().invoke(command, [*arguments, "--home", str(tmp_path / "home")])

    return invoke


def test_show_tells_only_what_differs_from_the_defaults(run):
    result = run(config.command, "show", "--set", "dreamer.rate_hz=10", "--seed", "7")

    lines = result.output.splitlines()

    assert lines[0].split() == ["run.seed", "=", "7", "#", "--seed"]
    assert lines[1].split() == ["dreamer.rate_hz", "=", "10.0", "#", "--set"]
    assert lines[2].startswith("sha256 ")
    assert len(lines) == 3


def test_show_resolved_tells_every_setting_and_its_origin(run, tmp_path):
    configuration = load_configuration(Sources(Home(tmp_path / "home")))

    told = json.loads(run(config.command, "show", "--resolved", "--json").output)

    assert told["sha256"] == configuration.sha256
    assert told["settings"] == {
        key: {"value": value, "origin": "default"} for key, value in configuration.values().items()
    }


def test_validate_accepts_the_sample_set_and_writes_nothing(run, tmp_path):
    result = run(validate.command)

    assert result.exit_code == 0
    assert result.output.startswith("valid: 8 pictures, ")
    assert list(tmp_path.iterdir()) == []


def test_validate_names_every_mistake_at_once_and_ends_with_one(run):
    result = run(validate.command, "--json", "--set", "run.sed=1", "--set", "bias.chroma_bins=0", "--images", "/none")

    told = json.loads(result.output)

    assert result.exit_code == 1
    assert told["ok"] is False
    assert len(told["problems"]) == 3
    assert "did you mean run.seed?" in told["problems"][0]


def test_validate_names_a_broken_picture_and_still_accepts_the_rest(run, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("chelsea.png", "coffee.png"):
        (folder / name).write_bytes((SAMPLE / "pictures" / name).read_bytes())
    (folder / "broken.png").write_bytes(b"broken")

    result = run(validate.command, "--images", str(folder))

    assert result.exit_code == 0
    assert "left out: broken.png: not a picture" in result.output


def test_validate_refuses_an_empty_folder(run, tmp_path):
    (tmp_path / "none").mkdir()

    result = run(validate.command, "--images", str(tmp_path / "none"))

    assert result.exit_code == 1
    assert (
        result.output
        == f"error: {tmp_path}/none holds no pictures, a run needs at least 2\n1 problem; nothing can start\n"
    )


def test_validate_names_five_bad_pictures_and_counts_the_rest(run, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("chelsea.png", "coffee.png"):
        (folder / name).write_bytes((SAMPLE / "pictures" / name).read_bytes())
    for number in range(8):
        (folder / f"b{number}.png").write_bytes(b"")

    text = run(validate.command, "--images", str(folder)).output
    told = json.loads(run(validate.command, "--images", str(folder), "--json").output)

    assert text.count("the file is empty") == 5
    assert "left out: and 3 more pictures" in text
    assert told["pictures_left_out"] == 8


def test_validate_gives_one_error_for_one_picture_alone(run, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "coffee.png").write_bytes((SAMPLE / "pictures" / "coffee.png").read_bytes())

    result = run(validate.command, "--images", str(folder))

    assert result.output.splitlines() == [
        f"error: needs at least 2 readable pictures, found 1 in {folder}",
        "1 problem; nothing can start",
    ]


@pytest.mark.parametrize("form", ["text", "dot", "mermaid"])
def test_graph_prints_the_diagram(form):
    assert CliRunner().invoke(graph.command, ["--format", form]).output == draw(form)


def commands_of(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command and group of commands below `group`."""
    with click.Context(group) as context:
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            yield (*path, name)
            if isinstance(found, click.Group):
                yield from commands_of(found, (*path, name))


@pytest.mark.parametrize("words", tuple(commands_of(cli)), ids=" ".join)
def test_every_help_has_an_example(words):
    told = CliRunner().invoke(cli, [*words, "--help"]).output

    assert f"    supervisor {words[0]}" in told.partition("Example")[2]
