"""Seed 000, the dreamer-learner interface: every clause of it has a test that cites it."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CITATION = re.compile(r"seed 000,? section (\d+(?:\.\d+)?)")
CLAUSES = (
    "1",
    "2",
    "3.1",
    "3.2",
    "3.3",
    "3.4",
    "3.5",
    "3.6",
    "3.7",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "10",
    "11",
    "12",
    "13",
    "14",
)


def cited() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in TESTS.rglob("test_*.py"):
        if path != Path(__file__):
            for clause in CITATION.findall(path.read_text(encoding="utf-8")):
                found.setdefault(clause, set()).add(path.name)
    return found


@pytest.mark.parametrize("clause", CLAUSES)
def test_clause_is_cited_by_a_test(clause: str) -> None:
    places = {
        name
        for number, names in cited().items()
        if number.split(".")[0] == clause or number == clause
        for name in names
    }

    assert places, f"no test cites seed 000, section {clause}"
