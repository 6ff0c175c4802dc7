"""The resolved configuration of a run: every setting with its value and where the value came from.

In, the later over the earlier: the packaged `engine.toml`, the user's `engine.toml` (of `--config DIR`, else of
HOME/config), `--set section.key=value`, dedicated flags. Out: `EngineSettings`, the origin of each value, canonical
JSON and its SHA-256. Refused with all problems at once: unknown names, broken TOML, values out of range, values that
contradict each other, folders and files that are not there.
"""

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from schemas.errors import SettingsError
from schemas.settings import EngineSettings
from supervisor.allowed import allowed, known_keys, known_sections
from supervisor.home import Home
from supervisor.layers import ENGINE_FILE, Layer, Stated, read_assignments, read_file, read_flags

DEFAULT_ORIGIN: Final = "default"
PLACES: Final = {
    "run.images": (Path.is_dir, "a folder that can be read; name a folder of pictures"),
    "run.factoids": (Path.is_file, "a file that can be read; name a text file, one fact a line"),
    "regimes.sensor_root": (Path.is_dir, "a folder that can be read; name one that is laid out as /sys"),
}
"""Settings that name something of the user: how it is looked for, and what it has to be."""


@dataclass(frozen=True)
class Sources:
    """Where a command takes its settings from."""

    home: Home
    config: Path | None = None
    """Folder of an `engine.toml` to use instead of HOME/config."""
    assignments: tuple[str, ...] = ()
    """`section.key=value`, as given to --set."""
    flags: tuple[Stated, ...] = ()
    """Values of dedicated flags."""


@dataclass(frozen=True)
class Configuration:
    """Resolved settings, and what is known of them."""

    settings: EngineSettings
    origins: Mapping[str, str]
    """`section.key` to `default`, a file's path, `--set` or a flag."""
    canonical_json: str
    sha256: str
    """Hexadecimal SHA-256 of `canonical_json`."""

    def values(self) -> dict[str, object]:
        """`section.key` to value, in the order of the settings."""
        tables = self.settings.model_dump()
        return {f"{section}.{key}": value for section, table in tables.items() for key, value in table.items()}


def load_configuration(sources: Sources) -> Configuration:
    """The configuration that `sources` resolve to; raises SettingsError holding every problem there is."""
    merged: dict[str, Stated] = {}
    problems: list[str] = []
    for layer in _layers(sources):
        problems += layer.problems
        merged.update((stated.key, stated) for stated in layer.stated)
    problems += [f"{DEFAULT_ORIGIN}: {key} is missing" for key in known_keys() if key not in merged]
    settings = _validated(merged, problems)
    problems += _contradictions(merged)
    if problems or settings is None:
        raise SettingsError(tuple(problems))
    text = canonical_json(settings)
    origins = {key: merged[key].origin for key in known_keys()}
    return Configuration(settings, origins, text, hashlib.sha256(text.encode()).hexdigest())


def canonical_json(settings: EngineSettings) -> str:
    """`settings` as JSON with sorted keys and no spaces: equal settings give equal text."""
    return json.dumps(settings.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False)


def default_file() -> Path:
    """The packaged `engine.toml`: in an installed wheel beside this module, in a checkout in `config/`."""
    package = Path(__file__).parent
    packaged = package / "config_files" / ENGINE_FILE
    return packaged if packaged.is_file() else package.parent / "config" / ENGINE_FILE


def _layers(sources: Sources) -> Iterable[Layer]:
    yield read_file(default_file(), DEFAULT_ORIGIN)
    if sources.config is not None and sources.config.is_file():
        yield Layer(problems=[_not_a_folder(sources.config)])
    else:
        chosen = (sources.config or sources.home.config) / ENGINE_FILE
        if sources.config is not None or os.path.lexists(chosen):
            yield read_file(chosen, str(chosen))
    yield read_assignments(sources.assignments)
    yield read_flags(sources.flags)


def _not_a_folder(path: Path) -> str:
    advice = f"name its folder: --config {shlex.quote(str(path.parent))}"
    if path.name != ENGINE_FILE:
        advice = f"call it {ENGINE_FILE} and {advice}"
    return f"--config {path}: is a file; {advice}"


def _validated(merged: Mapping[str, Stated], problems: list[str]) -> EngineSettings | None:
    tables: dict[str, dict[str, object]] = {section: {} for section in known_sections()}
    for stated in merged.values():
        section, name = stated.key.split(".", 1)
        tables[section][name] = stated.value
    try:
        return EngineSettings.model_validate(tables)
    except ValidationError as error:
        wrong = dict.fromkeys(".".join(str(part) for part in item["loc"][:2]) for item in error.errors())
        problems += [_misfit(merged[key]) for key in wrong if key in merged]
        return None


def _misfit(stated: Stated) -> str:
    return f"{_where(stated)}; allowed is {allowed(stated.key)}"


def _where(stated: Stated) -> str:
    return f"{stated.origin}: {stated.key} = {_shown(stated.value)}"


def _shown(value: object) -> str:
    return json.dumps(value, default=str)


def _contradictions(merged: Mapping[str, Stated]) -> list[str]:
    ordered = (
        ("supervisor.backoff_first_s", "supervisor.backoff_max_s"),
        ("supervisor.disk_stop_mib", "supervisor.disk_warn_mib"),
    )
    problems = []
    for low, high in ordered:
        if low in merged and high in merged and _exceeds(merged[low].value, merged[high].value):
            problems.append(f"{_where(merged[low])} is more than {high} = {_shown(merged[high].value)}")
    for key, (is_there, wanted) in PLACES.items():
        stated = merged.get(key)
        if stated and isinstance(stated.value, str) and stated.value and not is_there(Path(stated.value)):
            problems.append(f"{_where(stated)} is not {wanted}")
    return problems


def _exceeds(low: object, high: object) -> bool:
    return isinstance(low, int | float) and isinstance(high, int | float) and low > high
