"""The layers that settings come from, each as a flat table of `section.key` to a value and its origin.

In: TOML files, `--set section.key=value`, dedicated flags. Out: `Layer`s, and a problem in words for each thing in them
that no setting is: unknown sections and keys (with the nearest known name), broken TOML (with its line), bad grammar.
Whether a value fits its key is decided later, by the settings themselves.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from supervisor.allowed import PATH_KEYS, is_text, known_keys, known_sections

ENGINE_FILE: Final = "engine.toml"
SET_ORIGIN: Final = "--set"


@dataclass(frozen=True)
class Stated:
    """A value that some layer states for a key."""

    key: str
    """`section.key`."""
    value: object
    origin: str
    """`default`, the path of a file, `--set`, or the flag."""


@dataclass
class Layer:
    """What one place states, and what is wrong there."""

    stated: list[Stated] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_file(path: Path, origin: str) -> Layer:
    """The settings in the TOML file at `path`."""
    layer = Layer()
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        layer.problems.append(f"{path}: cannot be read ({error.strerror or error})")
    except UnicodeDecodeError as error:
        layer.problems.append(f"{path}: is not UTF-8 text (byte {error.start})")
    except tomllib.TOMLDecodeError as error:
        layer.problems.append(f"{path}: is not TOML: {error}")
    else:
        _flatten(content, path, origin, layer)
    return layer


def read_assignments(assignments: Iterable[str]) -> Layer:
    """The settings in `--set section.key=value` arguments; a value is TOML, and a bare word is text."""
    layer = Layer()
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        key = name.strip()
        if not equals or "." not in key:
            layer.problems.append(f"--set {assignment}: write it as section.key=value, e.g. --set dreamer.rate_hz=10")
        elif key not in known_keys():
            layer.problems.append(f"--set {assignment}: {_unknown(key)}")
        else:
            value = _parse_value(key, text.strip())
            layer.stated.append(Stated(key, _resolved(key, value, Path.cwd()), SET_ORIGIN))
    return layer


def read_flags(flags: Iterable[Stated]) -> Layer:
    """The settings of dedicated flags, such as `--seed`; raises KeyError for a flag that names no setting."""
    layer = Layer()
    for flag in flags:
        if flag.key not in known_keys():
            raise KeyError(flag.key)
        layer.stated.append(Stated(flag.key, _resolved(flag.key, flag.value, Path.cwd()), flag.origin))
    return layer


def _flatten(content: Mapping[str, object], path: Path, origin: str, layer: Layer) -> None:
    for section, table in content.items():
        if section not in known_sections():
            layer.problems.append(f"{path}: {_unknown(section)}")
        elif not isinstance(table, dict):
            layer.problems.append(f"{path}: {section} = {table!r} is a value; [{section}] is a section of keys")
        else:
            for name, value in table.items():
                key = f"{section}.{name}"
                if key in known_keys():
                    layer.stated.append(Stated(key, _resolved(key, value, path.parent), origin))
                else:
                    layer.problems.append(f"{path}: {_unknown(key)}")


def _unknown(name: str) -> str:
    section, dot, _ = name.partition(".")
    if section not in known_sections():
        return f"there is no section [{section}]{_suggestion(name if dot else section)}"
    return f"there is no key {name}{_suggestion(name)}"


def _suggestion(name: str) -> str:
    section, _, key = name.rpartition(".")
    same_key = [known for known in known_keys() if known.rsplit(".", 1)[1] == key]
    near = difflib.get_close_matches(name, same_key, n=1, cutoff=0.0) or difflib.get_close_matches(
        name, known_keys(), n=1
    )
    if section not in known_sections() and not same_key:
        near = [f"[{found}]" for found in difflib.get_close_matches(section or key, known_sections(), n=1)]
    return f"; did you mean {near[0]}?" if near else ""


def _parse_value(key: str, text: str) -> object:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    if set(parsed) != {"value"}:
        return text
    value: object = parsed["value"]
    return value if isinstance(value, str) or not is_text(key) else text


def _resolved(key: str, value: object, base: Path) -> object:
    if key not in PATH_KEYS or not isinstance(value, str) or not value:
        return value
    return str((base.resolve() / Path(value).expanduser()).absolute())
