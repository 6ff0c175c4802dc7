"""`supervisor config show`: the settings of a run, where each comes from, and their hash."""

import json

import click

from supervisor.configuration import DEFAULT_ORIGIN, Configuration, Sources, load_configuration
from supervisor.options import json_option, with_inputs


@click.group()
def command() -> None:
    """Show the configuration.

    \b
    Example:
      supervisor config show --resolved
    """


@command.command()
@click.option("--resolved", is_flag=True, help="Show every setting, not only those that differ from the defaults.")
@json_option
@with_inputs
def show(sources: Sources, resolved: bool, as_json: bool) -> None:
    """Show settings, each with its value and where the value comes from.

    Without --resolved, only what you have changed. The hash is that of all settings, and stands in the manifest of
    every run with them.

    \b
    Example:
      supervisor config show --resolved --set dreamer.rate_hz=10
    """
    configuration = load_configuration(sources)
    click.echo(_as_json(configuration, resolved) if as_json else _as_text(configuration, resolved))


def _shown(configuration: Configuration, resolved: bool) -> dict[str, tuple[object, str]]:
    return {
        key: (value, configuration.origins[key])
        for key, value in configuration.values().items()
        if resolved or configuration.origins[key] != DEFAULT_ORIGIN
    }


def _as_json(configuration: Configuration, resolved: bool) -> str:
    settings = {
        key: {"value": value, "origin": origin} for key, (value, origin) in _shown(configuration, resolved).items()
    }
    return json.dumps({"settings": settings, "sha256": configuration.sha256}, indent=2)


def _as_text(configuration: Configuration, resolved: bool) -> str:
    rows = [(key, json.dumps(value), origin) for key, (value, origin) in _shown(configuration, resolved).items()]
    if not rows:
        return f"all settings are the defaults\nsha256 {configuration.sha256}"
    key_width, value_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"{key:<{key_width}} = {value:<{value_width}}  # {origin}" for key, value, origin in rows]
    return "\n".join([*lines, f"sha256 {configuration.sha256}"])
