"""Who may talk to whom is one table, and the dreamer hears the hint alone (design, section 3; style, rule 5)."""

import ast
from pathlib import Path

import pytest

from bus.topology import CONTROL, TOPOLOGY, accepted_by, is_allowed
from schemas import CATALOGUE, BiasProfile
from schemas.roles import ACTOR_ROLES, ROLES

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for package in ("actors", "bus", "schemas", "supervisor")
    for path in (ROOT / package).rglob("*.py")
    if path != ROOT / "bus" / "topology.py"
)


def roles_in(nodes: list[ast.expr]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and node.value in ROLES]


def is_message(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value in CATALOGUE
    return isinstance(node, ast.Name) and node.id in CATALOGUE


def lists_a_row(node: ast.AST) -> bool:
    """Whether `node` names two roles and a message, or maps one role to another."""
    match node:
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements) | ast.Call(args=elements):
            return len(roles_in(elements)) >= 2 and any(is_message(element) for element in elements)
        case ast.Dict(keys=keys, values=values):
            return any(maps_to_another_role(key, value) for key, value in zip(keys, values, strict=True) if key)
    return False


def maps_to_another_role(key: ast.expr, value: ast.expr) -> bool:
    named = roles_in([key])
    return bool(named) and any(role not in named for role in roles_in(getattr(value, "elts", [value])))


def test_every_row_that_ends_at_the_dreamer_is_a_bias_profile():
    # seed 000, section 9: dreamer only consumes BiasProfile
    rows = [row for row in TOPOLOGY if row.receiver == "dreamer"]

    assert [(row.sender, row.message) for row in rows] == [("bias-synthesizer", BiasProfile)]


@pytest.mark.parametrize("kind", sorted(set(CATALOGUE) - {"BiasProfile"}))
def test_nobody_may_send_the_dreamer_anything_else(kind):
    assert not any(is_allowed(sender, kind, "dreamer") for sender in ROLES)


def test_the_inbox_of_the_dreamer_decodes_one_kind():
    assert accepted_by("dreamer") == {("bias-synthesizer", "BiasProfile"): BiasProfile}


def test_no_row_stands_twice():
    assert len(set(TOPOLOGY)) == len(TOPOLOGY)


def test_every_message_has_a_row_and_every_row_a_message():
    assert {row.message.kind for row in TOPOLOGY} == set(CATALOGUE)


def test_every_actor_tells_the_supervisor_of_its_process():
    for role in ACTOR_ROLES:
        assert all(is_allowed(role, message.kind, "supervisor") for message in CONTROL)


def test_the_supervisor_has_words_for_four_actors_alone():
    assert {row.receiver for row in TOPOLOGY if row.sender == "supervisor"} == {
        "pool-keeper",
        "regime-runner",
        "friend",
        "nightly-observer",
    }


def test_no_message_of_those_who_measure_the_machine_can_reach_the_dreamer():
    reached, waiting = set(), ["regime-runner", "safety-watchdog"]
    while waiting:
        sender = waiting.pop()
        news = {row.receiver for row in TOPOLOGY if row.sender == sender and row.message not in CONTROL} - reached
        reached |= news
        waiting += [receiver for receiver in news if receiver in ("regime-runner", "safety-watchdog")]

    assert reached == {"regime-runner", "safety-watchdog", "pool-keeper", "friend"}
    assert not is_allowed("regime-runner", "BiasProfile", "dreamer")


def test_no_message_of_a_friend_or_a_field_can_reach_the_dreamer():
    # seed 001 and dossier, section 5: the dreamer still receives BiasProfile only
    told = {row.receiver for row in TOPOLOGY if row.sender in ("friend", "field-host") and row.message not in CONTROL}

    assert told == {"pool-keeper", "friend", "field-host"}


def test_nothing_nightly_flows_back():
    # seed 004, sections 7 and 8; dossier R29
    told = {(row.message.kind, row.receiver) for row in TOPOLOGY if row.sender == "nightly-observer"}

    assert {(kind, receiver) for kind, receiver in told if receiver != "supervisor"} == {
        ("SnapshotRequest", "pool-keeper")
    }
    assert {row.receiver for row in TOPOLOGY if row.message.kind == "SnapshotReady"} == {"nightly-observer"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_file_lists_who_talks_to_whom(path):
    rows = [node.lineno for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if lists_a_row(node)]

    assert rows == []


@pytest.mark.parametrize(
    "second_list",
    [
        'ROWS = (("dreamer", DreamEntry, "pool-keeper"),)',
        'allow("learner", "FeedbackBatch", "pool-keeper")',
        'PEERS = {"learner": "pool-keeper"}',
        'PEERS = {"learner": ("pool-keeper", "supervisor")}',
    ],
)
def test_a_second_list_would_be_seen(second_list):
    assert any(lists_a_row(node) for node in ast.walk(ast.parse(second_list)))
