"""Imports go one way, and what must stay pure imports nothing of the world (design, sections 1 and 2)."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SCHEMAS = sorted((ROOT / "schemas").glob("*.py"))
CORES = sorted((ROOT / "actors").glob("*/core.py"))
SOURCES = sorted(path for name in ("actors", "bus", "schemas", "supervisor") for path in (ROOT / name).rglob("*.py"))
WORLD = {
    "asyncio",
    "datetime",
    "logging",
    "os",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
    "zmq",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports_of(path: Path) -> set[str]:
    """Full names of the modules that the file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    from_ = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return plain | from_


def roots_of(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path)}


def test_every_import_contract_holds():
    linter = Path(sys.executable).parent / "lint-imports"

    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", SCHEMAS, ids=name_of)
def test_schemas_know_neither_the_bus_nor_the_world(path):
    assert roots_of(path) & (WORLD | {"bus", "actors", "supervisor", "pathlib"}) == set()


@pytest.mark.parametrize("path", CORES, ids=name_of)
def test_a_core_imports_nothing_of_the_world(path):
    assert roots_of(path) & (WORLD | {"pathlib", "uuid", "sqlite3"}) == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_randomness_is_unseeded(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    bare_generators = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng") and not node.args
    ]

    assert {name for name in called if name.startswith(("np.random.", "random."))} <= {
        "np.random.Generator",
        "np.random.Philox",
        "random.Random",
    }
    assert not {name for name in called if name.split(".")[-1] in ("uuid1", "uuid4")}
    assert bare_generators == []


def test_pillow_is_used_where_pictures_are_decoded_and_charts_are_drawn_and_nowhere_else():
    # a picture decoder is the widest door for bad bytes; no actor has it
    users = {name_of(path) for path in SOURCES if "PIL" in roots_of(path)}
    assert users == {"supervisor/pictures.py", "supervisor/experiments/charting.py"}


def test_every_actor_folder_is_under_the_contract_of_independence():
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    (independence,) = [contract for contract in contracts if contract["type"] == "independence"]
    folders = {f"actors.{path.parent.name}" for path in (ROOT / "actors").glob("*/__init__.py")}

    assert set(independence["modules"]) == folders


def test_the_test_extra_and_the_test_group_are_equal():
    assert PYPROJECT["dependency-groups"]["test"] == PYPROJECT["project"]["optional-dependencies"]["test"]


def test_the_settings_file_travels_with_the_wheel():
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert wheel["force-include"] == {"config": "supervisor/config_files"}
    assert set(wheel["packages"]) == {"actors", "bus", "schemas", "supervisor"}
