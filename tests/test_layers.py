"""Imports run one way, and the packaging lists every package."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# what a part may import of zsgate when it is loaded; imports inside functions are free
ALLOWED = {
    "errors": set(),
    "score": set(),
    "sources": set(),
    "store": {"spill"},
    "names": set(),
    "spill": {"errors"},
    "recipe": set(),
    "pattern": {"errors", "names"},
    "settings": {"errors", "names", "threshold", "waiver"},
    "threshold": {"errors", "names", "pattern", "verdict"},
    "waiver": {"errors", "pattern"},
    "config": {"dataset", "errors", "leakage", "names", "recipe", "settings", "threshold", "verdict", "waiver"},
    "counts": {"errors"},
    "download": {"errors"},
    "dataset": {"counts", "errors"},
    "embedding": {"errors", "recipe", "spill"},
    "genes": {"dataset"},
    "blind": set(),
    "inference": set(),
    "checkup": {"columns", "dataset", "errors", "genes", "opened", "reading", "rules"},
    "rules": {"dataset"},
    "leakage": set(),
    "fingerprints": {"counts", "dataset", "errors"},
    "corpus": {"counts", "execution", "fingerprints", "genes", "opened", "prepared", "reading"},
    "matrix": {"counts", "errors"},
    "opened": {"names", "errors", "genes", "matrix"},
    "columns": {"dataset", "errors", "genes", "names"},
    "prepared": {"counts", "errors", "matrix", "sources", "spill"},
    "expression": {"genes", "matrix", "opened", "prepared"},
    "reading": {"columns", "counts", "dataset", "errors", "expression", "genes", "matrix", "opened", "prepared"},
    "pairing": {"dataset", "inference", "score"},
    "unpaired": {"inference", "pairing", "score"},
    "verdict": {"errors", "inference", "pairing", "score", "unpaired"},
    "execution": {"errors"},
    "report": set(),
    "metrics": {
        "sources",
        "dataset",
        "embedding",
        "errors",
        "execution",
        "recipe",
        "reconstruction",
        "score",
        "spill",
        "store",
    },
    "models": {
        "counts",
        "dataset",
        "download",
        "embedding",
        "errors",
        "execution",
        "names",
        "reconstruction",
        "spill",
        "store",
    },
    "reconstruction": {"dataset", "errors"},
    "testing": {"dataset", "embedding", "errors", "models", "reconstruction"},
    "baselines": {"counts", "dataset", "embedding", "errors", "execution", "models", "prepared", "spill"},
    "fixtures": {
        *("baselines", "columns", "config", "dataset", "download", "embedding", "errors", "execution"),
        *(
            "blind",
            "fingerprints",
            "leakage",
            "metrics",
            "models",
            "names",
            "opened",
            "pairing",
            "pattern",
            "reading",
            "recipe",
            "reconstruction",
        ),
        *("rules", "score", "settings", "sources", "spill", "store", "threshold", "verdict", "waiver"),
    },
    "suites": {"fixtures", "metrics"},
    "plugin": set(),
    "cli": {"commands", "errors"},
    "commands": set(),
    "cache": set(),
    "gate": {"baselines", "config", "errors", "execution", "fixtures", "store", "suite"},
    "suite": {"fixtures", "suites"},
    "provenance": {"sources", "fixtures", "store"},
    "selected": {"fixtures", "suite"},
    "docket": {"blind", "execution", "fixtures", "report", "selected", "waiver"},
    "clerk": {"docket", "execution", "fixtures", "leakage", "provenance", "selected"},
}
FOLDERS = {"baselines": ROOT / "baselines", "fixtures": ROOT / "fixtures", "suites": ROOT / "suites"}


def sources() -> list[tuple[str, Path]]:
    """List every module of the package with the part it belongs to."""
    inside = [
        (path.relative_to(ROOT / "zsgate").parts[0].removesuffix(".py"), path)
        for path in (ROOT / "zsgate").rglob("*.py")
    ]
    beside = [(part, path) for part, folder in FOLDERS.items() for path in folder.glob("*.py")]
    return [(part, path) for part, path in inside + beside if part not in ("__init__", "__main__")]


def at_import(tree: ast.Module) -> set[str]:
    """Return the parts of zsgate that a module imports when it is loaded."""
    found: set[str] = set()
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "zsgate":
            found |= {f"zsgate.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        todo += ast.iter_child_nodes(node)
    return {name.split(".")[1] for name in found if name.startswith("zsgate.")}


@pytest.mark.parametrize(("part", "path"), sources(), ids=lambda value: getattr(value, "stem", value))
def test_imports_run_one_way(part, path):
    """A part imports only what lies below it."""
    imported = at_import(ast.parse(path.read_text(encoding="utf-8")))

    assert imported <= ALLOWED[part] | {part}


def test_every_package_is_listed():
    """Setuptools is told of every folder that holds modules."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(table["tool"]["setuptools"]["packages"])
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "zsgate").rglob("*.py")} | {
        Path("zsgate") / name for name in FOLDERS
    }

    assert listed == {".".join(folder.parts) for folder in folders}
