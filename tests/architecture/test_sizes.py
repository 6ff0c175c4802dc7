"""Files and functions stay small enough to be read (style, rule 8)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("actors", "bus", "schemas", "supervisor")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_MAIN_LINES = 40


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions_in(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=name_of)
def test_no_file_has_more_than_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_function_has_more_than_40_lines(path):
    long = {
        node.name: lines
        for node in functions_in(path)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    }

    assert long == {}


@pytest.mark.parametrize("path", sorted((ROOT / "actors").glob("*/__main__.py")), ids=name_of)
def test_a_shell_has_at_most_40_lines_and_decides_nothing(path):
    # style, rule 3
    decisions = [
        node
        for function in functions_in(path)
        for node in ast.walk(function)
        if isinstance(node, ast.If | ast.For | ast.Match | ast.While | ast.Try)
    ]

    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MAIN_LINES
    assert decisions == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_module_says_what_it_is_for(path):
    # style, rule 11
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_no_file_is_named_after_nothing():
    # style, rule 1
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}

    assert [name_of(path) for path in SOURCES if vague & set(path.with_suffix("").parts)] == []
