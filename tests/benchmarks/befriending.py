"""What the friend does to its field and to its host in the long run.

In: nothing; the user's lines are the sentences of this repository's own documents and docstrings, in an order drawn by
seed, of which every fifth is kept from the field as the held-out text. Out: one JSON object: after `DIALOGS` dialogues
the persona, the instruments, bits per token of the held-out text and of the origin with the friend and without, how
much a seed draws, how moments were declined, and the least and the greatest over the seeds; for the drop-in, whether
the replies of a host with a seeded stream are the same with the friend on, mute, dead and absent, and the time of a
reply. Run: `make bench BENCH=befriending`. Exit code 1 when a target is missed; `--seeds N` runs N of them. Times are
processor times, medians of the differences.
"""

import argparse
import ast
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from actors.friend.dropin import dream
from actors.friend.field.measures import bits_per_token
from actors.friend.field.speaking import Speaker
from actors.friend.fragments import sentences_of
from actors.friend.origin import ORIGIN
from actors.friend.words import content_words, tokens_of
from tests.actors.friend.company import ROOT, Company, load_settings

DIALOGS, HELD_OUT_EVERY = 200, 5
MOST_EXCESS, LEAST_ORIGIN, MOST_REPLY_RATIO = 0.02, 3, 1.1
LEAST_PULL, LEAST_MEDIAN_PULL = 1.5, 3.0
REPLIES = 600
DRAWS = {"slow": 6000, "fast": 1000}
"""Draws of one reply, of a host that takes milliseconds for it and of one that takes a fraction of one."""


def documents() -> list[str]:
    """The sentences of the repository that people could say."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("*.md"))]
    for folder in ("actors", "bus", "schemas", "supervisor"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "friend" in path.parts:
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            texts += [ast.get_docstring(tree) or ""]
    settings = load_settings()
    lines = [line for text in texts for line in sentences_of(" ".join(text.split()), settings)]
    return [line for line in dict.fromkeys(lines) if 5 <= len(tokens_of(line)) <= 40 and "`" not in line]


def user_lines(seed: int) -> tuple[list[str], list[str]]:
    """What is said, and what is held out."""
    lines = documents()
    order = np.random.Generator(np.random.Philox(seed)).permutation(len(lines))
    shuffled = [lines[index] for index in order]
    said = [line for index, line in enumerate(shuffled) if index % HELD_OUT_EVERY]
    return said, shuffled[::HELD_OUT_EVERY]


def live(seed: int) -> dict[str, object]:
    """One life with the friend and one without, on the same words."""
    said, held_out = user_lines(seed)
    settings = load_settings(least_origin_share=0.0, max_prompt_echo=1.0, least_distinct=0.0, max_bits_excess=1.0)
    company = Company(settings, seed)
    silent = Company(load_settings(probability=0.0), seed)
    first_adopted, shares, spoken = None, [], 0
    began = time.process_time()
    while len(company.keeper.commits) < DIALOGS:
        line = said[spoken % len(said)]
        spoken += 1
        kept = len(company.keeper.commits)
        company.talk([line])
        silent.talk([line])
        if len(company.keeper.commits) > kept:
            fragments = company.keeper.persona("field").fragments
            if first_adopted is None and any(not fragment.is_origin for fragment in fragments):
                first_adopted = kept + 1
            shares.append(company.core.figures()["origin_share"])
    seconds = time.process_time() - began
    return {
        "seed": seed,
        "lines": spoken,
        "distinct_lines": min(spoken, len(said)),
        "seconds": round(seconds, 2),
        **persona_of(company),
        "first_adopted_at_dialog": first_adopted,
        "adoptions": sum(len(commit.delta.adopted) for commit in company.keeper.commits.values()),
        "origin_share_at": {str(at): round(shares[at - 1], 3) for at in (1, 10, 50, 100, DIALOGS)},
        "sharpest_fall_in_11": round(max(a - b for a, b in zip(shares, shares[10:], strict=False)), 3),
        "held_out": compared(company, silent, held_out),
        "origin": compared(company, silent, [ORIGIN]),
        "instruments": {name: company.core.figures()[name] for name in INSTRUMENTS},
        "declined": {key: value for key, value in company.core.figures().items() if key.startswith("declined")},
        "pull": pull_of(company),
    }


INSTRUMENTS = (
    "origin_share",
    "lexical_distance",
    "turnover",
    "effective_fragments",
    "self_talk_share",
    "distinct_3",
    "prompt_echo",
    "bits_excess",
)


def persona_of(company: Company) -> dict[str, object]:
    """The fragments at the end."""
    fragments = company.keeper.persona("field").fragments
    return {
        "dialogs": len(company.keeper.commits),
        "fragments": len(fragments),
        "origin_fragments": sum(fragment.is_origin for fragment in fragments),
        "adopted_fragments": sum(not fragment.is_origin for fragment in fragments),
        "least_weight": min(fragment.weight for fragment in fragments),
        "greatest_weight": max(fragment.weight for fragment in fragments),
        "floor": company.settings.floor,
        "bound": company.settings.max_fragments,
    }


def compared(company: Company, silent: Company, texts: list[str]) -> dict[str, float | None]:
    """Bits per token with the friend and without."""
    with_friend, without = (bits_per_token(texts, each.core.field.memory.whole) for each in (company, silent))
    if with_friend is None or without is None:
        return {"with": with_friend, "without": without, "excess": None}
    return {"with": round(with_friend, 4), "without": round(without, 4), "excess": round(with_friend / without - 1, 5)}


def pull_of(company: Company) -> dict[str, float]:
    """How much more a line has of a text when that text is its seed than when another one is."""
    field = company.core.field.memory.whole
    texts = [line for line in ORIGIN.strip().splitlines() if len(content_words(line)) > 2][:12]
    ratios = []
    for index, target in enumerate(texts):
        other = texts[(index + len(texts) // 2) % len(texts)]
        own, foreign = (mean_overlap(field, seed, target) for seed in (target, other))
        ratios.append(own / max(foreign, 1e-3))
    return {"least": round(min(ratios), 2), "median": round(statistics.median(ratios), 2)}


def mean_overlap(field, seed: str, target: str) -> float:
    """Mean share of the content words of lines from `seed` that `target` has."""
    wanted, found = set(content_words(target)), []
    for number in range(40):
        dice = np.random.Generator(np.random.Philox(number))
        words = content_words(Speaker(field, seed, 0.8, 0.5, dice).speak(40))
        found.append(sum(word in wanted for word in words) / len(words) if words else 0.0)
    return statistics.fmean(found)


class HostProgram:
    """A program with a seeded stream of replies, as leo is, and with a friend in some state."""

    def __init__(self, mode: str, folder: Path, draws: int) -> None:
        self._draws = draws
        self.mode, self.store = mode, folder / f"{mode}.sqlite3"
        self.replies: list[str] = []
        self.times: list[float] = []
        self._stream = random.Random(7).getstate()
        self._config = dream.DreamConfig(min_interval_seconds=0.0, is_deferred=mode == "deferred", seed=1)
        if mode not in ("absent", "dead"):
            dream.init_dream(self.store, ORIGIN, [])

    def reply(self, line: str) -> None:
        """One turn; what the host would do while idle is not counted."""
        random.setstate(self._stream)
        began = time.process_time()
        reply = self._answer(line)
        if self.mode != "absent":
            moment = dream.DreamContext(prompt=line, reply=reply, trauma_level=0.9, pulse_entropy=0.5)
            now = 1000.0 + len(self.replies)
            dream.maybe_run_dream(moment, self._generate, self._observe, self.store, self._config, now=now)
        self.times.append(time.process_time() - began)
        self._stream = random.getstate()
        self.replies.append(reply)
        dream.serve_dream()

    @property
    def dialogs(self) -> int:
        """How many were held."""
        return int(str(dream.get_dream_stats(self.store).get("total_dialogs", 0)))

    def _answer(self, prompt: str) -> str:
        """Drawn from the global stream, with about as much work as a line of a small field."""
        words = tokens_of(prompt) or ["and"]
        picked = [random.choice(words) for _ in range(self._draws)]
        return " ".join(sorted(picked, key=lambda word: (random.random(), word))[:12])

    def _generate(self, seed: str, _temperature: float, _semantics: float) -> str | None:
        return None if self.mode == "mute" else self._answer(seed)

    def _observe(self, _text: str) -> None:
        random.random()


def dropin(draws: int) -> dict[str, object]:
    """The drop-in under a host with a seeded stream; the hosts take turns, so that all see the same machine."""
    lines = documents()[:REPLIES]
    with tempfile.TemporaryDirectory() as folder:
        hosts = {mode: HostProgram(mode, Path(folder), draws) for mode in ("absent", "on", "mute", "dead", "deferred")}
        for number, line in enumerate(lines):
            order = list(hosts.values())
            for host in order if number % 2 else reversed(order):
                host.reply(line)
        dialogs = {mode: host.dialogs for mode, host in hosts.items()}
    plain = hosts["absent"]
    over = {mode: [a - b for a, b in zip(host.times, plain.times, strict=True)] for mode, host in hosts.items()}
    without = statistics.median(plain.times)
    return {
        "replies": len(lines),
        "identical": {mode: host.replies == plain.replies for mode, host in hosts.items()},
        "dialogs": dialogs,
        "reply_ms_without": round(without * 1e3, 3),
        "more_us": {mode: round(statistics.median(each) * 1e6, 1) for mode, each in over.items()},
        "reply_ratio_deferred": round(1.0 + statistics.median(over["deferred"]) / without, 4),
        "reply_ratio_deferred_mean": round(sum(hosts["deferred"].times) / sum(plain.times), 4),
        "reply_ratio_inline_mean": round(sum(hosts["on"].times) / sum(plain.times), 4),
    }


def spans(lives: list[dict]) -> dict[str, list[float]]:
    """The least and the greatest of what the lives came to."""
    found = {name: [each[name] for each in lives] for name in ("origin_fragments", "adopted_fragments")}
    found["first_adopted_at_dialog"] = [each["first_adopted_at_dialog"] or 0 for each in lives]
    found |= {f"{name}_excess": [each[name]["excess"] for each in lives] for name in ("held_out", "origin")}
    found["gated_rate"] = [
        round(each["dialogs"] / (each["dialogs"] + each["declined"]["declined.dice"]), 3) for each in lives
    ]
    return {name: [min(values), max(values)] for name, values in found.items()}


def missed(lives: list[dict], hosts: dict[str, dict]) -> list[str]:
    """The targets that do not hold."""
    found = []
    for each in lives:
        checks = {
            "origin fragments": each["origin_fragments"] >= LEAST_ORIGIN,
            "adopted by dialogue 10": (each["first_adopted_at_dialog"] or DIALOGS) <= 10,
            "weights": each["floor"] <= each["least_weight"] <= each["greatest_weight"] <= 1.0,
            "bound": each["fragments"] <= each["bound"],
            "held-out": each["held_out"]["excess"] <= MOST_EXCESS,
            "origin": each["origin"]["excess"] <= 0.0,
            "pull": each["pull"]["least"] >= LEAST_PULL and each["pull"]["median"] >= LEAST_MEDIAN_PULL,
        }
        found += [f"seed {each['seed']}: {name}" for name, holds in checks.items() if not holds]
    for name, host in hosts.items():
        found += [f"{name} host: replies differ: {mode}" for mode, is_same in host["identical"].items() if not is_same]
        found += [f"{name} host: deferred reply time"] if host["reply_ratio_deferred"] > MOST_REPLY_RATIO else []
    return found


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    lives = []
    for seed in range(1, arguments.seeds + 1):
        print(f"life {seed} of {arguments.seeds}: {DIALOGS} dialogues", file=sys.stderr, flush=True)
        lives.append(live(seed))
    print(f"drop-in: {REPLIES} replies of five hosts, twice", file=sys.stderr, flush=True)
    hosts = {name: dropin(draws) for name, draws in DRAWS.items()}
    misses = missed(lives, hosts)
    print(json.dumps({"lives": lives, "spans": spans(lives), "dropin": hosts, "missed": misses}, indent=2))
    return 1 if misses else 0


if __name__ == "__main__":
    raise SystemExit(main())
