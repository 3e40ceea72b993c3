"""The house: imports run one way, none in a circle, and no room is too large to be seen at once."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BESIDE = ("baselines", "fixtures", "suites")  # parts of the package that lie beside it in a checkout
# a room may import its own modules and those of the floors below, wherever in a file the import stands
FLOORS = (
    ("errors",),
    ("report",),
    ("system", "verdict"),
    ("data",),
    ("models",),
    ("metrics",),
    ("baselines",),
    ("config",),
    ("run", "testing"),
    ("fixtures",),
    ("suites",),
    ("cli", "plugin"),
    ("__main__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MOST_ENTRIES, MOST_LINES = 12, 250


def _modules() -> dict[str, Path]:
    """Return the file of every module of the package, by dotted name; that of zsgate itself holds the version."""
    roots = [("zsgate", ROOT / "zsgate"), *((f"zsgate.{name}", ROOT / name) for name in BESIDE)]
    found = {}
    for name, folder in roots:
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((name, *parts)).removesuffix(".__init__")] = path
    return found


MODULES = _modules()
FOLDERS = sorted({path.parent for path in MODULES.values()})


def imported(module: str) -> Iterator[str]:
    """Yield the modules of zsgate that a file imports, those in functions and for type checkers included."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            names = [
                full if (full := f"{node.module}.{alias.name}") in MODULES else str(node.module) for alias in node.names
            ]
        yield from (name for name in names if name in MODULES and name != module)


def room(module: str) -> str:
    """Return the part of the package that a module belongs to."""
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"zsgate"}))
def test_imports_run_downwards(module):
    """A module imports its own room and rooms on lower floors, nothing beside or above."""
    others = {name for name in imported(module) if name != "zsgate" and room(name) != room(module)}
    assert {name for name in others if FLOOR[room(name)] >= FLOOR[room(module)]} == set()


def test_no_imports_run_in_a_circle():
    """Modules can be put in an order in which each imports only those before it."""
    left = {module: set(imported(module)) for module in MODULES}
    while free := {module for module, needs in left.items() if not needs & left.keys()}:
        left = {module: needs for module, needs in left.items() if module not in free}
    assert left == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).as_posix())
def test_a_folder_can_be_seen_at_once(folder):
    """It has at most twelve entries; the files that Python wants are none."""
    entries = [path.name for path in folder.iterdir() if not path.name.startswith("__") and path.name != "py.typed"]
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_file_can_be_read_at_once(module):
    """It has at most 250 lines."""
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_every_package_is_listed():
    """Setuptools is told of every folder that holds modules."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = [path.relative_to(ROOT).parts for path in FOLDERS if path != ROOT / "tests"]
    listed = {".".join(["zsgate"] * (parts[0] in BESIDE) + list(parts)) for parts in folders}
    apart = {"zsgate.envs"}  # its modules are run by other interpreters
    assert set(table["tool"]["setuptools"]["packages"]) == listed | apart
