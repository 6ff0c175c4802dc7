"""A host for the drop-in: hooks that keep what went through them, and a look into the store."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from actors.friend.dropin import dream

ORIGIN = "I am a lighthouse. A storm broke my lantern. I learned to whistle. No weights. Ships remember the whistle."
README = ["language is a field", "I am six years old"]


def config(**named: object) -> dream.DreamConfig:
    return dream.DreamConfig(**({"min_interval_seconds": 0.0, "trigger_probability": 1.0, "seed": 1} | named))


def moment(**named: object) -> dream.DreamContext:
    calm = {"prompt": "who?", "reply": "me.", "trauma_level": 0.9, "pulse_novelty": 0.1, "pulse_entropy": 0.5}
    return dream.DreamContext(**(calm | named))


def whistle(step: int) -> str:
    return f"The whistle of storm {step} remembers ships."


class Hooks:
    """A host's two hooks, and everything that went through them."""

    def __init__(self, say: Callable[[int], object] = whistle) -> None:
        self._say = say
        self.asked: list[tuple[str, float, float]] = []
        self.heard: list[str] = []
        self.order: list[str] = []
        self.threads: set[int] = set()

    def generate(self, seed: str, temperature: float, semantic_weight: float) -> object:
        self.asked.append((seed, temperature, semantic_weight))
        self.order.append("generate")
        self.threads.add(threading.get_ident())
        return self._say(len(self.asked) - 1)

    def observe(self, text: str) -> None:
        self.heard.append(text)
        self.order.append("observe")

    def run(self, store: Path | None, now: float = 1000.0, **named: object) -> "Hooks":
        rules = config(**{key: value for key, value in named.items() if key in RULES})
        ctx = moment(**{key: value for key, value in named.items() if key not in RULES})
        dream.maybe_run_dream(ctx, self.generate, self.observe, store, rules, now)
        return self


RULES = {"min_interval_seconds", "trigger_probability", "max_turns", "max_tokens", "max_chars", "is_deferred", "seed"}


def rows(store: Path, query: str) -> list[tuple[object, ...]]:
    base = sqlite3.connect(store)
    try:
        return base.execute(query).fetchall()
    finally:
        base.close()
