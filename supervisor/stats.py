"""What the actors say of themselves, put in sections for people: pool, learner, bias, dreamer, the pair that
measures the machine, the friend, and the nights.

In: the figures of the last heartbeat of each role. Out: flat sections, and the nested document that `stats --json`
prints. A figure that nobody has reported yet is 0 for a count and null for a mean.
"""

from collections.abc import Mapping
from typing import Final, Union

from schemas.base import Record
from schemas.control import Figure
from schemas.roles import Role

Scalar = float | int | str | None
Sections = dict[str, dict[str, Scalar]]
"""Section -> dotted figure name -> value."""
Tree = dict[str, Union["Tree", Scalar, bool]]

SECTION_OF: Final[Mapping[Role, str]] = {
    "pool-keeper": "pool",
    "learner": "learner",
    "bias-synthesizer": "bias",
    "dreamer": "dreamer",
    "safety-watchdog": "watchdog",
    "regime-runner": "regimes",
    "friend": "friend",
    "nightly-observer": "nights",
}
ALWAYS: Final[Mapping[str, Mapping[str, Scalar]]] = {
    "pool": {"dreams_total": 0, "coherence_mean": None},
    "learner": {"epochs": 0},
    "bias": {"profiles": 0, "applied_by_dreamer": 0},
    "dreamer": {"episodes": 0},
    "watchdog": {"trials_watched": 0},
    "regimes": {"trials": 0},
    "friend": {"dialogs_kept": 0},
    "nights": {"nights": 0},
}
"""What every report holds, before anybody has said anything."""


class StatsReport(Record):
    """The loop in figures."""

    running: bool
    run_id: str
    uptime_s: float
    sections: Sections

    def tree(self) -> Tree:
        """The nested document: one object a section, dotted names taken apart."""
        head: Tree = {"running": self.running, "run_id": self.run_id, "uptime_s": round(self.uptime_s, 3)}
        return head | {name: nest(figures) for name, figures in self.sections.items()}


def collect_sections(figures: Mapping[Role, tuple[Figure, ...]]) -> Sections:
    """The sections that follow from the last figures of each role."""
    sections: Sections = {name: dict(values) for name, values in ALWAYS.items()}
    for role, section in SECTION_OF.items():
        sections[section].update({figure.name: figure.value for figure in figures.get(role, ())})
    dreamer = sections["dreamer"]
    sections["bias"]["applied_by_dreamer"] = dreamer.get("profiles_applied", 0)
    dreamer.update(_acceptance(dreamer))
    return sections


def nest(figures: Mapping[str, Scalar]) -> Tree:
    """Dotted names as nested objects: `kpis.coverage` becomes {"kpis": {"coverage": ...}}.

    A name that is also the beginning of another keeps its dots there: `a` and `a.b` stay side by side.
    """
    tree: Tree = {}
    for name in sorted(figures):
        *parents, leaf = name.split(".")
        at: Tree | None = tree
        for parent in parents:
            below = at.setdefault(parent, {}) if at is not None else None
            at = below if isinstance(below, dict) else None
        if at is None:
            tree[name] = figures[name]
        else:
            at[leaf] = figures[name]
    return tree


def _acceptance(dreamer: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """`acceptance.SOURCE`, the share of episodes that became dreams, from accepted.SOURCE and rejected.SOURCE."""
    sources = sorted({name.split(".", 1)[1] for name in dreamer if name.startswith(("accepted.", "rejected."))})
    shares: dict[str, Scalar] = {}
    for source in sources:
        accepted, rejected = (_number(dreamer.get(f"{verdict}.{source}")) for verdict in ("accepted", "rejected"))
        total = accepted + rejected
        shares[f"acceptance.{source}"] = accepted / total if total > 0 else None
    return shares


def _number(value: Scalar) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
