"""What a setting may be, in words, read from the types of `schemas.settings`.

In: a key such as `run.seed`. Out: `a whole number from 0 to 9223372036854775807`. Nothing is stated twice: the words
come from the JSON schema of the settings.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from schemas.settings import EngineSettings

PATH_KEYS = ("run.images", "run.factoids", "regimes.sensor_root")
"""Settings that name files of the user; relative ones are resolved against the place that states them."""


@cache
def known_keys() -> tuple[str, ...]:
    """Every `section.key` there is, in the order of the settings."""
    sections = EngineSettings.model_json_schema()["properties"]
    return tuple(f"{section}.{key}" for section in sections for key in _properties(section))


@cache
def known_sections() -> tuple[str, ...]:
    """Every section there is, in the order of the settings."""
    return tuple(EngineSettings.model_fields)


def allowed(key: str) -> str:
    """The values that `key` (section.key) may have, in words."""
    section, name = key.split(".", 1)
    return _describe(_properties(section)[name])


def is_text(key: str) -> bool:
    """Whether `key` (section.key) takes any text."""
    section, name = key.split(".", 1)
    field = _properties(section)[name]
    return field.get("type") == "string" and "enum" not in field


@cache
def _properties(section: str) -> Mapping[str, Mapping[str, Any]]:
    schema = EngineSettings.model_json_schema()
    definition = schema["properties"][section]["$ref"].rsplit("/", 1)[1]
    properties: Mapping[str, Mapping[str, Any]] = schema["$defs"][definition]["properties"]
    return properties


def _describe(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return ", or ".join(_describe(option) for option in field["anyOf"])
    if "const" in field:
        return repr(field["const"])
    if "enum" in field:
        return "one of " + ", ".join(str(value) for value in field["enum"])
    noun = {"integer": "a whole number", "number": "a finite number", "string": "text", "boolean": "true or false"}
    return noun[field["type"]] + _bounds(field)


def _bounds(field: Mapping[str, Any]) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    above = field.get("exclusiveMinimum")
    if low is not None:
        return f" from {_plain(low)} to {_plain(high)}" if high is not None else f" of at least {_plain(low)}"
    if above is not None:
        return f" above {_plain(above)}" + (f" and at most {_plain(high)}" if high is not None else "")
    return f" of at most {_plain(high)}" if high is not None else ""


def _plain(bound: float) -> str:
    return str(int(bound)) if float(bound).is_integer() else str(bound)
