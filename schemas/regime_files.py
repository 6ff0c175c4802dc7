"""Reads `regimes.yaml`, `caps.yaml` and `runtime.yaml`: text in, typed settings or every problem with its line out.

In: the bytes of a file. Out: `RegimeConfig` and `CapsConfig`. Refused, each with the line and what to write instead:
text that is not YAML, a key twice, anchors, unknown keys, wrong values, arguments that no program takes, placeholders
that no gene fills, genes that nothing uses, caps on metrics that nothing measures. `on` and `off` are words, as in
YAML 1.2. PyYAML is imported when the first file is read.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from schemas.cap_settings import METRICS, CapsConfig
from schemas.errors import SettingsError
from schemas.regime_checks import Problem, problems_of
from schemas.regime_settings import RegimeConfig

REGIMES_FILE: Final = "regimes.yaml"
CAPS_FILE: Final = "caps.yaml"
MAX_BYTES: Final = 1024 * 1024
"""Largest file that is read."""

Place = tuple[str | int, ...]
Settings = TypeVar("Settings", bound=BaseModel)

_WHOLE = re.compile(r"[-+]?[0-9]{1,19}")
_REAL = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?")
_TAGS: Final = tuple(f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null"))
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}


def load_regimes(text: bytes) -> RegimeConfig:
    """The regimes in `text`; raises SettingsError holding every problem there is."""
    tree, lines = _tree(REGIMES_FILE, text)
    config = _validated(RegimeConfig, REGIMES_FILE, tree, lines)
    _raise_if_any(REGIMES_FILE, problems_of(config), lines)
    return config


def load_caps(text: bytes) -> CapsConfig:
    """The caps in `text`; raises SettingsError holding every problem there is."""
    tree, lines = _tree(CAPS_FILE, text)
    config = _validated(CapsConfig, CAPS_FILE, tree, lines)
    _raise_if_any(CAPS_FILE, _unknown_metrics(config), lines)
    return config


def load_layers(settings: type[Settings], file: str, layers: Sequence[bytes]) -> Settings:
    """The settings in the last of `layers`, where it is silent those before; raises SettingsError with every problem.

    Lines are those of the last one.
    """
    merged, lines = _tree(file, layers[0])
    for layer in layers[1:]:
        tree, lines = _tree(file, layer)
        merged = _merged(merged, tree) if tree is not None else merged
    return _validated(settings, file, merged, lines)


def _merged(below: object, above: object) -> object:
    """`above` over `below`, key by key where both have keys."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}


def _unknown_metrics(config: CapsConfig) -> Iterable[Problem]:
    named = [
        (("domains", domain, metric), domain, metric) for domain in config.domains for metric in config.domains[domain]
    ]
    for place, domain, metric in named:
        known = METRICS.get(metric)
        if known is None:
            yield Problem(place, f"no metric has this name{suggestion(metric, METRICS)}")
        elif known.domains and domain not in known.domains:
            yield Problem(place, f"{metric} is not measured in {domain}, only in {', '.join(known.domains)}")
    for metric in config.margin:
        if metric not in METRICS:
            yield Problem(("margin", metric), f"no metric has this name{suggestion(metric, METRICS)}")
        elif not any(metric in caps for caps in config.domains.values()):
            yield Problem(("margin", metric), "no domain has a cap on it; remove the margin or add the cap")


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """The known names that `wrong` may have meant, as the end of a sentence."""
    names = list(known)
    near = difflib.get_close_matches(wrong, names, n=2)
    return f"; did you mean {' or '.join(near)}?" if near else f"; known are {', '.join(sorted(names))}"


def _raise_if_any(file: str, problems: Iterable[Problem], lines: dict[Place, int]) -> None:
    texts = tuple(_located(file, problem.place, problem.text, lines) for problem in problems)
    if texts:
        raise SettingsError(texts)


def _located(file: str, place: Place, text: str, lines: dict[Place, int]) -> str:
    where = place
    while where and where not in lines:
        where = where[:-1]
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    return f"{file}:{lines.get(where, 1)}: {dotted or 'the file'}: {text}"


def _validated(settings: type[Settings], file: str, tree: object, lines: dict[Place, int]) -> Settings:
    try:
        return settings.model_validate(tree)
    except ValidationError as error:
        texts = dict.fromkeys(_misfit(settings, file, dict(item), lines) for item in error.errors())
        raise SettingsError(tuple(texts)) from None


def _misfit(settings: type[BaseModel], file: str, item: dict[str, Any], lines: dict[Place, int]) -> str:
    place = _place(item["loc"], lines, is_missing=item["type"] == "missing")
    text = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        text = f"unknown key{suggestion(str(place[-1]), _keys_at(settings, place[:-1]))}"
    elif item["type"] == "missing":
        text = "is missing"
    elif isinstance(item.get("input"), str | int | float):
        text = f"{item['input']!r} does not fit: {text}"
    return _located(file, place, text, lines)


def _place(parts: Sequence[str | int], lines: dict[Place, int], *, is_missing: bool) -> Place:
    """The keys of the file among `parts`: pydantic puts the branches of unions between them."""
    place: Place = ()
    for part in parts:
        place = (*place, part) if (*place, part) in lines else place
    return (*place, parts[-1]) if is_missing else place


def _keys_at(settings: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys that are known at `place`, found by walking the types of the settings."""
    here: Any = settings
    for part in place:
        field = here.model_fields.get(str(part)) if isinstance(here, type) and issubclass(here, BaseModel) else None
        here = _model_in(field.annotation if field else here)
    if isinstance(here, type) and issubclass(here, BaseModel):
        return [field.alias or name for name, field in here.model_fields.items()]
    return []


def _model_in(annotation: Any) -> Any:
    """The model inside `dict[...]`, `tuple[...]` or a union; the annotation itself where it is one."""
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation
    models = [_model_in(argument) for argument in getattr(annotation, "__args__", ())]
    found = [model for model in models if isinstance(model, type) and issubclass(model, BaseModel)]
    return found[0] if found else None


def _tree(file: str, text: bytes) -> tuple[object, dict[Place, int]]:
    """Plain values, and the line of each place; raises SettingsError where the text is not such YAML."""
    import yaml  # noqa: PLC0415 - only processes that read these files pay for it

    if len(text) > MAX_BYTES:
        raise SettingsError((f"{file}: has {len(text)} bytes; at most {MAX_BYTES} are read",))
    try:
        node = yaml.compose(text.decode(), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise SettingsError((f"{file}: is not UTF-8 text ({error.reason} at byte {error.start})",)) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise SettingsError((f"{file}:{line}: is not YAML: {getattr(error, 'problem', None) or error}",)) from None
    except RecursionError:
        raise SettingsError((f"{file}: is nested too deeply",)) from None
    reader = _Reader(file)
    tree = reader.read(node, ())
    if reader.problems:
        raise SettingsError(tuple(reader.problems))
    return tree, reader.lines


class _Reader:
    """Turns nodes of YAML into plain values, and remembers where each began."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Place, int] = {}
        self.problems: list[str] = []
        self._seen: set[int] = set()

    def read(self, node: Any, place: Place) -> object:
        """The value of `node`; a problem is noted, and None stands in its place."""
        if node is None:
            return None
        self.lines[place] = node.start_mark.line + 1
        if id(node) in self._seen:
            self._refuse(place, "anchors and aliases are not allowed; write the value out")
            return None
        self._seen.add(id(node))
        if node.tag not in _TAGS:
            self._refuse(place, f"{str(node.value)[:40]!r}: write a number or a word, without a tag")
            return None
        match node.id:
            case "mapping":
                return self._mapping(node, place)
            case "sequence":
                return [self.read(item, (*place, index)) for index, item in enumerate(node.value)]
            case _:
                return self._scalar(node)

    def _mapping(self, node: Any, place: Place) -> dict[str, object]:
        read: dict[str, object] = {}
        for key, value in node.value:
            name = str(key.value) if key.id == "scalar" else ""
            if not name or name in read:
                self.lines[(*place, name)] = key.start_mark.line + 1
                self._refuse((*place, name), "the key is there twice" if name else "a key is one word")
            read[name] = self.read(value, (*place, name))
        return read

    @staticmethod
    def _scalar(node: Any) -> object:
        text = str(node.value)
        if node.style:  # quoted or folded: text
            return text
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        if _WHOLE.fullmatch(text):
            return int(text)
        return float(text) if _REAL.fullmatch(text) else text

    def _refuse(self, place: Place, text: str) -> None:
        self.problems.append(_located(self.file, place, text, self.lines))
