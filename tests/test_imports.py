"""Imports go one way: pipelines → transforms → rates."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BELOW = {"pipelines": {"transforms", "rates"}, "transforms": {"rates"}, "rates": set()}
PACKAGES = set(BELOW)


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_a_package_imports_only_what_is_below_it(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        found = imported(ast.parse(file.read_text()))
        above = (found & PACKAGES) - BELOW[package] - {package}
        assert not above, f"{file.relative_to(ROOT)} imports {above}"


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_the_graph_is_on_one_screen() -> None:
    assert len((ROOT / "pipelines" / "metering.py").read_text().splitlines()) <= 80
