"""What a package offers is what its `__all__` says (style, rule 13)."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for package in ("actors", "bus", "schemas", "supervisor")
    for path in (ROOT / package).rglob("__init__.py")
)


def offered_by(package: str) -> list[str]:
    return list(getattr(importlib.import_module(package), "__all__", []))


def imported_by(package: str) -> set[str]:
    """Public names that the package's `__init__` takes from its own modules."""
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package.split(".", maxsplit=1)[0]
        for alias in node.names
        if not (alias.asname or alias.name).startswith("_")
    }


def isort_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that ruff keeps."""
    if name.isupper():
        return (0, name)
    return (1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_exactly_what_is_re_exported(package):
    assert set(offered_by(package)) == imported_by(package)


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_sorted_and_has_no_name_twice(package):
    offered = offered_by(package)

    assert offered == sorted(set(offered), key=isort_order)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_offered_name_is_there(package):
    module = importlib.import_module(package)

    for name in offered_by(package):
        assert getattr(module, name) is not None


def test_a_name_that_schemas_does_not_offer_is_an_attribute_error():
    import schemas

    with pytest.raises(AttributeError, match="no attribute 'Nightmare'"):
        schemas.Nightmare  # noqa: B018 - the look-up is the test


def test_an_error_class_costs_no_numpy():
    import subprocess
    import sys

    script = (
        "import sys; from schemas import OneirosError; sys.exit('numpy' in sys.modules or 'pydantic' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("benchmark", sorted(path.stem for path in (ROOT / "tests" / "benchmarks").glob("[a-z]*.py")))
def test_every_benchmark_finds_what_it_imports(benchmark: str) -> None:
    assert callable(importlib.import_module(f"tests.benchmarks.{benchmark}").main)
