"""The roles that take part, and the python module that runs each."""

from typing import Final, Literal, get_args

Role = Literal[
    "dreamer",
    "pool-keeper",
    "learner",
    "bias-synthesizer",
    "friend",
    "field-host",
    "regime-runner",
    "safety-watchdog",
    "nightly-observer",
    "supervisor",
]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
ACTOR_ROLES: Final[tuple[Role, ...]] = tuple(role for role in ROLES if role != "supervisor")
GUEST_ONLY: Final[tuple[Role, ...]] = ("field-host",)
"""Those that are guests or nobody: programs of the user's, which are no part of a run from its beginning."""
RESIDENT_ROLES: Final[tuple[Role, ...]] = tuple(role for role in ACTOR_ROLES if role not in GUEST_ONLY)


def module_of(role: Role) -> str:
    """The module that `python -m` runs for `role`."""
    return "actors." + role.replace("-", "_")
