"""The imaginary friend as one file, for a host with a field of its own (seed 001). Copy it beside the host: `dream.py`.

In: what a user said and was shown, and the host's hooks `generate_fn(seed, temperature, semantic_weight)` and
`observe_fn(text)`. Out: now and then three or four lines between "leo" and "friend", heard by the host, kept in four
tables of a SQLite file. Both signatures are served, the seed's and that of the module it replaces: inline, or, with
`is_deferred`, when the host is idle and calls `serve_dream()`. It is a guest on the standard library alone: hooks are
called in the calling thread, the host's random streams stay as they were, nothing is printed, raised or started, a
reply is never touched. A closed gate leaves no trace. The cool-down is claimed in the file before a word is said, so
that no second process and no call from within a hook speaks too; a dialogue is kept in one transaction or not at all.
A store that is absent, broken or locked is left as it is. Refused: a hook's answer that is no text with a word in it.
"""

import hashlib
import math
import re
import sqlite3
import sys
import time
import unicodedata
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from random import Random, getstate, setstate
from typing import ClassVar, Final, NamedTuple

Hook = Callable[..., object]
Lead = Callable[[object, Hook, Hook, float], object]  # holds a dialogue at a moment (context, hooks, now), or does not
Row = tuple[int, str, float]  # a fragment: id, text, weight

MAX_FRAGMENTS, ORIGIN_QUOTA, README_QUOTA, LEAST_TURNS, LOCK_WAIT_S = 36, 24, 2, 3, 0.1
ADOPTED_WEIGHT, DECAY, FLOOR, NEAR_COPY, ADOPT_AROUSAL, ADOPT_OVERLAP, ADOPT_TRAUMA = 0.3, 0.99, 0.1, 0.8, 0.6, 0.4, 0.6
TRAUMA_ABOVE, NOVELTY_ABOVE, QUALITY_LOW, QUALITY_HIGH, WOUNDED_ABOVE = 0.5, 0.7, 0.35, 0.55, 0.7
TOKEN: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]")
SENTENCE: Final = re.compile(r"[^.!?…\n]+[.!?…]*[\"”')\]]*")
SECRET: Final = re.compile(
    r"\S+://\S+|\bwww\.\S+|[^\s@<>()]+\s?@\s?[^\s@<>()]+\s?\.\s?[^\W\d_]{2,}|(?<![\w.])\+?\d(?:[\s().-]{0,2}\d){5,}(?!\w)"
    r"|(?<!\w)(?=\w*\d)(?=\w*[^\W\d_])[\w-]{16,}={0,2}(?!\w)|(?<!\w)[^\W_]{33,}(?!\w)"
)
OWN_ORIGIN: Final = "I began with a few words. I tell them again, and they come in another order. That order is mine."
TABLES: Final = """
CREATE TABLE IF NOT EXISTS dream_meta (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS dream_bootstrap_fragments (
    id INTEGER PRIMARY KEY, text TEXT NOT NULL, weight REAL NOT NULL DEFAULT 1.0);
CREATE TABLE IF NOT EXISTS dream_dialogs (id INTEGER PRIMARY KEY, started_at REAL, finished_at REAL,
    episodes_count INTEGER, avg_trauma REAL, avg_arousal REAL, note TEXT);
CREATE TABLE IF NOT EXISTS dream_turns (id INTEGER PRIMARY KEY, dialog_id INTEGER REFERENCES dream_dialogs(id),
    speaker TEXT, text TEXT NOT NULL, trauma_level REAL, pulse_novelty REAL, pulse_arousal REAL, pulse_entropy REAL);
"""
ADD_FRAGMENT: Final = "INSERT INTO dream_bootstrap_fragments (text, weight) VALUES (?, ?)"
ADD_DIALOG: Final = (
    "INSERT INTO dream_dialogs (started_at, finished_at, episodes_count, avg_trauma, avg_arousal, note)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
ADD_TURN: Final = (
    "INSERT INTO dream_turns (dialog_id, speaker, text, trauma_level, pulse_novelty, pulse_arousal, pulse_entropy)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)

DREAM_AVAILABLE = True  # whether the last `init_dream` found a store that can be used; nothing depends on it


class DreamContext:
    """A moment: by name, in the seed's order (`pulse` in one), or in the older one (`pulse_novelty` ... `quality`)."""

    SEED = ("prompt", "reply", "math_state", "pulse", "trauma_level", "themes", "expert")
    FLAT = ("prompt", "reply", "math_state", "pulse_novelty", "pulse_arousal", "pulse_entropy", *SEED[4:], "quality")

    def __init__(self, *values: object, **named: object) -> None:
        is_flat = len(values) > len(self.SEED) or (len(values) > 3 and isinstance(values[3], int | float))
        given = dict(zip(self.FLAT if is_flat else self.SEED, values, strict=False))
        self.__dict__.update({**dict.fromkeys(self.SEED + self.FLAT), **given, **named})


class DreamConfig:
    """How often, how long, in which mode. A name that it does not know is kept and means nothing."""

    min_interval_seconds, trigger_probability, is_deferred = 180.0, 0.3, False
    max_turns, max_tokens, max_chars, keep_dialogs = 4, 48, 320, 1000
    seed: object = None  # of the dice and the choice of fragments; None: the place of the store

    def __init__(self, **named: object) -> None:
        self.__dict__.update(named)

    def _at_least(self, least: int, name: str) -> int:
        return max(least, int(_number(getattr(self, name), least)))


class Turn(NamedTuple):
    """One line, how it felt, and how strong a claim it has to become a part of the friend."""

    speaker: str
    text: str
    trauma: float
    novelty: float
    arousal: float
    entropy: float
    strength: float = 0.0


class Moment(NamedTuple):
    """An open gate and fallen dice: all that a dialogue needs."""

    ctx: object
    generate: Hook
    observe: Hook
    place: str
    config: DreamConfig
    now: float
    dice: Random
    felt: Turn


class Guest:
    """What the module remembers while the process lives; the store knows the rest."""

    place: ClassVar[str] = ""
    calls: ClassVar[Counter[str]] = Counter()
    declined: ClassVar[Counter[str]] = Counter()
    speaking: ClassVar[set[str]] = set()
    waiting: ClassVar[deque[tuple[object, Hook, Hook, object, object, object]]] = deque(maxlen=64)  # not looked at yet
    pending: ClassVar[Moment | None] = None
    lead: ClassVar[Lead | None] = None


def init_dream(db_path: object, bootstrap_text: object = "", readme_fragments: Sequence[object] | None = None) -> None:
    """Make the four tables and plant the origin; what is there already stays."""
    global DREAM_AVAILABLE  # noqa: PLW0603 - the flag is part of the interface
    try:
        place = Guest.place = str(db_path)
        if not Path(place).exists():
            Path(place).touch(0o600)
        with closing(_open(place)) as store, store:
            store.executescript(TABLES)
            store.execute("BEGIN IMMEDIATE")
            _plant(store, _seeds(_string(bootstrap_text), readme_fragments or ()))
        DREAM_AVAILABLE = True
    except Exception as error:
        Guest.declined["store"] += 1
        DREAM_AVAILABLE = DREAM_AVAILABLE and isinstance(error, sqlite3.OperationalError)  # locked: better next time


def maybe_run_dream(
    ctx: object, generate_fn: Hook, observe_fn: Hook, db_path: object = None, config: object = None, now: object = None
) -> None:
    """Hold a short dialogue, now or when the host is idle; or, most often, do nothing."""
    with suppress(Exception):
        Guest.declined.update(("overflow",) if len(Guest.waiting) == Guest.waiting.maxlen else ())
        Guest.waiting.append((ctx, generate_fn, observe_fn, db_path, config, time.time() if now is None else now))
        if Guest.speaking or not getattr(config, "is_deferred", False):
            serve_dream()


def serve_dream() -> bool:
    """Hold the dialogue that was deferred, if there is one; for a host that has nothing else to do."""
    while Guest.waiting:
        with suppress(Exception):
            Guest.pending = _moment(*Guest.waiting.popleft()) or Guest.pending
    moment, Guest.pending = Guest.pending, None
    if moment is not None:
        with suppress(Exception):
            _hold(moment)
    return moment is not None


def attach(lead: Lead | None) -> None:
    """Let `lead` hold the dialogues, gates, store and all (`bus.friend_client` gives one); None: this module does."""
    Guest.lead = lead


def get_dream_stats(db_path: object = None) -> dict[str, object]:
    """Totals, means, the origin's share of the weights, and how often a moment was declined, by reason."""
    with suppress(Exception), closing(_open(str(db_path or Guest.place))) as store:
        store.row_factory = sqlite3.Row
        row = store.execute(
            "SELECT COUNT(*) AS total_dialogs, COALESCE(AVG(avg_trauma), 0.0) AS avg_trauma, COALESCE(AVG(avg_arousal),"
            " 0.0) AS avg_arousal, (SELECT COUNT(*) FROM dream_turns) AS total_turns FROM dream_dialogs"
        ).fetchone()
        rows, last = _fragments(store)
        share = sum(each[2] for each in rows if each[0] <= last) / sum(each[2] for each in rows) if rows else None
        return {**dict(row), "total_fragments": len(rows), "origin_share": share, "declined": dict(Guest.declined)}
    return {}


def get_recent_dreams(db_path: object = None, n: int = 5) -> list[dict[str, object]]:
    """The last `n` dialogues with their turns, the newest first."""
    with suppress(Exception), closing(_open(str(db_path or Guest.place))) as store:
        store.row_factory = sqlite3.Row
        talks = store.execute("SELECT *, episodes_count AS episodes FROM dream_dialogs ORDER BY id DESC LIMIT ?", (n,))
        said = "SELECT *, trauma_level trauma, pulse_arousal arousal FROM dream_turns WHERE dialog_id = ? ORDER BY id"
        return [{**dict(talk), "turns": [dict(t) for t in store.execute(said, talk[:1])]} for talk in talks.fetchall()]
    return []


def _moment(ctx: object, generate: Hook, observe: Hook, db_path: object, config: object, at: object) -> Moment | None:
    place, now = str(Guest.place if db_path is None else db_path), _number(at, time.time())
    rules = config if isinstance(config, DreamConfig) else DreamConfig(**getattr(config, "__dict__", {}))
    bundle = getattr(ctx, "pulse", None)
    flat = {name: getattr(ctx, f"pulse_{name}", None) for name in ("novelty", "arousal", "entropy")}
    pulse = {name: _unit(getattr(bundle, name, None) if value is None else value) for name, value in flat.items()}
    felt = Turn("user", "", _unit(getattr(ctx, "trauma_level", None)), **pulse)
    is_borderline = QUALITY_LOW <= _number(getattr(ctx, "quality", None), -1.0) <= QUALITY_HIGH
    is_open = felt.trauma > TRAUMA_ABOVE or felt.novelty > NOVELTY_ABOVE or is_borderline
    Guest.calls[place] += 1
    said = (getattr(ctx, "prompt", ""), getattr(ctx, "reply", ""))
    key = repr((place if rules.seed is None else rules.seed, Guest.calls[place], now, said))
    thrown = hashlib.sha256(key.encode("utf-8", "backslashreplace")).digest()
    reason = "busy" if place in Guest.speaking else None if is_open or Guest.lead else "gate"
    if reason is None and Guest.lead is None and int.from_bytes(thrown) >= _unit(rules.trigger_probability) * 2.0**256:
        reason = "dice"
    Guest.declined.update((reason,) if reason else ())
    return None if reason else Moment(ctx, generate, observe, place, rules, now, Random(thrown), felt)


def _hold(moment: Moment) -> None:
    """Hold the dialogue, and leave the host's random streams as they are, whatever its hooks draw."""
    legacy = sys.modules.get("numpy.random")
    state, legacy_state = getstate(), legacy.get_state() if legacy else None
    Guest.speaking.add(moment.place)
    try:
        if Guest.lead is not None:
            Guest.lead(moment.ctx, moment.generate, moment.observe, moment.now)
            return
        with closing(_open(moment.place)) as store:
            rows, last = _claim(store, moment)
        turns = _speak(moment, rows, last) if rows else []
        if len(turns) >= LEAST_TURNS:
            with closing(_open(moment.place)) as store:
                _commit(store, moment, turns)
        Guest.declined["hook"] += bool(rows) and len(turns) < LEAST_TURNS
    except sqlite3.Error:
        Guest.declined["store"] += 1
    finally:
        Guest.speaking.discard(moment.place)
        setstate(state)
        if legacy:
            legacy.set_state(legacy_state)


def _speak(moment: Moment, rows: Sequence[Row], last: int) -> list[Turn]:
    """The dialogue: leo begins, each line is heard before the next is asked for; it ends where a hook fails."""
    origin = frozenset(word for number, text, _ in rows if number <= last for word in _words(text))
    prefix = _sample(rows, moment.dice)
    now_text = "\n".join(_string(getattr(moment.ctx, name, ""))[:400] for name in ("prompt", "reply"))
    wanted = min(LEAST_TURNS + int(moment.dice.random() * 2), moment.config._at_least(0, "max_turns"))
    turns, heard = list[Turn](), set(_words(now_text))
    with suppress(Exception):
        while len(turns) < wanted:
            speaker, before = ("leo", "friend")[len(turns) % 2], turns[-1] if turns else moment.felt
            recent = "\n".join(turn.text for turn in reversed(turns[-3:])) or now_text
            seed = "\n".join((recent, *prefix))[:2400]
            text = _line(moment.generate(seed, *_manner(speaker, before)), moment.config)
            if text is None:
                break
            moment.observe(text)
            turns.append(_felt(speaker, text, heard, origin, moment.felt.trauma))
            heard.update(_words(text))
    return turns


def _manner(speaker: str, felt: Turn) -> tuple[float, float]:
    """Temperature and semantic weight."""
    if speaker == "leo":
        return 0.6 + 0.4 * felt.entropy, 0.3 + 0.1 * felt.trauma
    return (0.9, 0.6) if felt.trauma > WOUNDED_ABOVE else (0.7 + 0.3 * felt.entropy, 0.5 + 0.1 * felt.trauma)


def _felt(speaker: str, text: str, heard: set[str], origin: frozenset[str], trauma: float) -> Turn:
    """The line as it felt after what was said before; its strength is how far it is above the nearest mark."""
    words = _words(text)
    shares = [count / len(words) for count in Counter(words).values()]
    entropy = -sum(p * math.log2(p) for p in shares) / math.log2(len(words)) if len(words) > 1 else 0.5
    shouted = min(sum(word.isupper() and len(word) > 2 for word in text.split()), 4)
    load = 0.9 * min(text.count("!"), 3) + 0.25 * min(text.count("?"), 2) + 0.6 * shouted
    arousal = 1.0 - math.exp(-load / (1.0 + len(words) / 12.0))
    overlap = sum(word in origin and len(word) > 3 for word in words) / len(words)
    novelty = sum(word not in heard for word in words) / len(words)
    trauma = 0.75 * overlap + 0.25 * trauma
    strength = (speaker == "friend") * max(0.0, arousal - ADOPT_AROUSAL, overlap - ADOPT_OVERLAP, trauma - ADOPT_TRAUMA)
    return Turn(speaker, text, trauma, novelty, arousal, min(1.0, entropy), strength)


def _line(value: object, config: DreamConfig) -> str | None:
    """What a hook said, clean and clamped; None for what is no text with a word in it."""
    kinds = ((char, unicodedata.category(char)) for char in _string(value)[:16384])
    line = " ".join("".join(" " if kind == "Cc" else "" if kind[0] == "C" else char for char, kind in kinds).split())
    ends = [0, *(match.end() for match in TOKEN.finditer(line))][: config._at_least(4, "max_tokens") + 1]
    line = line[: min(ends[-1], config._at_least(16, "max_chars"))].rstrip()
    return line if _words(line) else None


def _words(text: str) -> list[str]:
    return [token for token in TOKEN.findall(text.casefold()) if token[0].isalnum()]


def _sentences(text: str) -> list[str]:
    lines = (_line(match.group(), DreamConfig()) for match in SENTENCE.finditer(text))
    return list({" ".join(_words(line)): line for line in lines if line}.values())


def _seeds(bootstrap: str, readme: Sequence[object]) -> list[str]:
    """The origin as fragments: spread over the whole bootstrap, with places of its own for the README."""
    told = _sentences(bootstrap)
    asides = [line for text in readme for line in _sentences(_string(text)) if line not in told][:README_QUOTA]
    room = ORIGIN_QUOTA - len(asides)
    spread = [told[round(index * (len(told) - 1) / (room - 1))] for index in range(room)] if len(told) > room else told
    return spread + asides or _sentences(OWN_ORIGIN)


def _sample(rows: Sequence[Row], dice: Random) -> list[str]:
    """One to three different fragments, by weight (Efraimidis and Spirakis, 2006)."""
    ranked = sorted((-(dice.random() ** (1.0 / weight)), text) for _, text, weight in rows)
    return [text for _, text in ranked[: 1 + int(dice.random() * 3)]]


def _open(place: str) -> sqlite3.Connection:
    name = f"{Path(place).absolute().as_uri()}?mode=rw"
    return sqlite3.connect(name, uri=True, timeout=LOCK_WAIT_S, isolation_level=None)


def _fragments(store: sqlite3.Connection) -> tuple[list[Row], int]:
    """All fragments, oldest first, and the id of the last one of the origin."""
    rows = store.execute("SELECT id, text, weight FROM dream_bootstrap_fragments ORDER BY id").fetchall()
    return [(row[0], str(row[1]), max(FLOOR, _unit(row[2]))) for row in rows], int(_meta(store, "origin_last_id", 0))


def _meta(store: sqlite3.Connection, key: str, default: float) -> float:
    row = store.execute("SELECT value FROM dream_meta WHERE key = ?", (key,)).fetchone()
    return _number(row[0] if row else None, default)


def _plant(store: sqlite3.Connection, seeds: Sequence[str]) -> None:
    """Put the origin first, once; what an older module has left stays behind it at a lesser weight."""
    if _meta(store, "origin_last_id", -1) >= 0:
        return
    known = {" ".join(_words(seed)) for seed in seeds}
    older = [row for row in _fragments(store)[0] if " ".join(_words(row[1])) not in known]
    planted = [(text, min(weight, ADOPTED_WEIGHT)) for _, text, weight in older[ORIGIN_QUOTA - MAX_FRAGMENTS :]]
    store.execute("DELETE FROM dream_bootstrap_fragments")
    store.executemany(ADD_FRAGMENT, [(seed, 1.0) for seed in seeds] + planted)
    store.execute("INSERT INTO dream_meta VALUES ('origin_last_id', ?)", (str(len(seeds)),))


def _claim(store: sqlite3.Connection, moment: Moment) -> tuple[list[Row], int]:
    """Take the cool-down; what the friend is made of, or nothing when it is not over."""
    interval, now = max(0.0, _number(moment.config.min_interval_seconds, 180.0)), moment.now
    with store:
        store.execute("BEGIN IMMEDIATE")
        last = _meta(store, "dream_last_run_ts", _meta(store, "last_run_ts", math.inf))
        is_over = abs(now - last) >= interval
        if is_over or now < last:  # a clock that was set back counts from where it stands
            store.execute("INSERT OR REPLACE INTO dream_meta VALUES ('dream_last_run_ts', ?)", (repr(now),))
        Guest.declined.update([] if is_over else ["cooldown"])
        return _fragments(store) if is_over else ([], 0)


def _commit(store: sqlite3.Connection, moment: Moment, turns: Sequence[Turn]) -> None:
    """The whole dialogue and what it changes, in one transaction."""
    kept = [turn._replace(text=SECRET.sub("[…]", turn.text)) for turn in turns]
    trauma, arousal = (sum(values) / len(kept) for values in zip(*((t.trauma, t.arousal) for t in kept), strict=True))
    note = f"at trauma {moment.felt.trauma:.2f}, novelty {moment.felt.novelty:.2f}"
    with store:
        store.execute("BEGIN IMMEDIATE")
        row = store.execute(ADD_DIALOG, (moment.now, moment.now, len(kept), trauma, arousal, note))
        store.executemany(ADD_TURN, [(row.lastrowid, *turn[:6]) for turn in kept])
        _drift(store, kept)
        oldest = ((row.lastrowid or 0) - moment.config._at_least(1, "keep_dialogs"),)
        store.execute("DELETE FROM dream_turns WHERE dialog_id <= ?", oldest)
        store.execute("DELETE FROM dream_dialogs WHERE id <= ?", oldest)


def _drift(store: sqlite3.Connection, turns: Sequence[Turn]) -> None:
    """Fade every fragment, take in one or two of the friend's lines, let the lightest go; the origin stays."""
    store.execute("UPDATE dream_bootstrap_fragments SET weight = MAX(?, weight * ?)", (FLOOR, DECAY))
    rows, last = _fragments(store)
    known, adopted = [set(_words(text)) for _, text, _ in rows], list[tuple[str, float]]()
    for turn in sorted((turn for turn in turns if turn.strength > 0.0), key=lambda each: -each.strength):
        words = set(_words(turn.text))
        if len(words) > 3 and all(len(words & each) < NEAR_COPY * len(words | each) for each in known):
            known.append(words)
            adopted.append((turn.text, ADOPTED_WEIGHT))
    store.executemany(ADD_FRAGMENT, adopted[:2])
    surplus = max(0, len(rows) + len(adopted[:2]) - MAX_FRAGMENTS)
    leaving = sorted((weight, number) for number, _, weight in rows if number > last)[:surplus]
    store.executemany("DELETE FROM dream_bootstrap_fragments WHERE id = ?", [(number,) for _, number in leaving])


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object, default: float) -> float:
    with suppress(TypeError, ValueError, OverflowError):
        number = float(value)  # type: ignore[arg-type]  # whatever a host hands over; what is no number raises
        return number if math.isfinite(number) else default
    return default


def _unit(value: object) -> float:
    return min(1.0, max(0.0, _number(value, 0.0)))
