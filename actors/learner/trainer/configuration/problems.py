"""What is wrong with a configuration, in words: the key, the value, and what to write instead.

In: errors of pydantic and the type that was validated. Out: one line for each, with the key as it stands in the file.
It refuses nothing itself.
"""

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ValidationError

from actors.learner.trainer.registry import meant

SHOWN_CHARACTERS = 60


def problems_in(error: ValidationError, settings: type[BaseModel], section: str = "") -> Iterator[str]:
    """One line for each problem; keys are those of `section` of the file."""
    for item in error.errors(include_url=False):
        place = item["loc"]
        text = str(item["msg"]).removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            known = dict.fromkeys(keys_at(settings, place[:-1]))
            text = f"unknown key{meant(str(place[-1]), known)}"
        elif item["type"] == "missing":
            text = "is missing"
        elif isinstance(item.get("input"), str | int | float):
            text = f"{_shown(item['input'])} does not fit: {text}"
        yield f"{dotted(section, place)}: {text}"


def keys_at(settings: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys that are known at `place` inside `settings`."""
    here = settings
    for part in place:
        field = here.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return []
        here = field.annotation
    return list(here.model_fields)


def dotted(section: str, place: Sequence[str | int]) -> str:
    """`section.key[2]`, the way people write it."""
    parts = (section, *place) if section else tuple(place)
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".") or "the file"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
